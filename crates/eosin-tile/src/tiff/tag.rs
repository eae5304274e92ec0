// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers of the tags that are read, and the names of those whose values may be refused.

pub(crate) const WIDTH: u16 = 256;
pub(crate) const HEIGHT: u16 = 257;
pub(crate) const BITS_PER_SAMPLE: u16 = 258;
pub(crate) const COMPRESSION: u16 = 259;
pub(crate) const PHOTOMETRIC: u16 = 262;
pub(crate) const FILL_ORDER: u16 = 266;
pub(crate) const DESCRIPTION: u16 = 270;
pub(crate) const MAKE: u16 = 271;
pub(crate) const STRIP_OFFSETS: u16 = 273;
pub(crate) const ORIENTATION: u16 = 274;
pub(crate) const SAMPLES_PER_PIXEL: u16 = 277;
pub(crate) const ROWS_PER_STRIP: u16 = 278;
pub(crate) const STRIP_BYTE_COUNTS: u16 = 279;
pub(crate) const X_RESOLUTION: u16 = 282;
pub(crate) const Y_RESOLUTION: u16 = 283;
pub(crate) const PLANAR_CONFIGURATION: u16 = 284;
pub(crate) const RESOLUTION_UNIT: u16 = 296;
pub(crate) const SOFTWARE: u16 = 305;
pub(crate) const PREDICTOR: u16 = 317;
pub(crate) const COLOUR_MAP: u16 = 320;
pub(crate) const TILE_WIDTH: u16 = 322;
pub(crate) const TILE_HEIGHT: u16 = 323;
pub(crate) const TILE_OFFSETS: u16 = 324;
pub(crate) const TILE_BYTE_COUNTS: u16 = 325;
pub(crate) const SUB_IFDS: u16 = 330;
pub(crate) const EXTRA_SAMPLES: u16 = 338;
pub(crate) const SAMPLE_FORMAT: u16 = 339;
pub(crate) const JPEG_TABLES: u16 = 347;
pub(crate) const YCBCR_SUBSAMPLING: u16 = 530;
pub(crate) const YCBCR_POSITIONING: u16 = 531;
pub(crate) const REFERENCE_BLACK_WHITE: u16 = 532;
pub(crate) const XMP: u16 = 700;
pub(crate) const DATA_TYPE: u16 = 32996;
pub(crate) const IMAGE_DEPTH: u16 = 32997;
pub(crate) const TILE_DEPTH: u16 = 32998;
pub(crate) const ICC_PROFILE: u16 = 34675;
pub(crate) const NDPI_FORMAT: u16 = 65420;
pub(crate) const NDPI_SOURCE_LENS: u16 = 65421;
pub(crate) const NDPI_FOCAL_PLANE: u16 = 65424;
pub(crate) const NDPI_MCU_STARTS: u16 = 65426;
pub(crate) const NDPI_MCU_STARTS_HIGH: u16 = 65432;

/// The specification's name of a tag.
pub(crate) fn name(tag: u16) -> &'static str {
    match tag {
        BITS_PER_SAMPLE => "BitsPerSample",
        COMPRESSION => "Compression",
        PHOTOMETRIC => "PhotometricInterpretation",
        FILL_ORDER => "FillOrder",
        ORIENTATION => "Orientation",
        SAMPLES_PER_PIXEL => "SamplesPerPixel",
        PLANAR_CONFIGURATION => "PlanarConfiguration",
        PREDICTOR => "Predictor",
        COLOUR_MAP => "ColorMap",
        EXTRA_SAMPLES => "ExtraSamples",
        SAMPLE_FORMAT => "SampleFormat",
        YCBCR_SUBSAMPLING => "YCbCrSubSampling",
        YCBCR_POSITIONING => "YCbCrPositioning",
        REFERENCE_BLACK_WHITE => "ReferenceBlackWhite",
        DATA_TYPE => "DataType",
        IMAGE_DEPTH => "ImageDepth",
        TILE_DEPTH => "TileDepth",
        _ => "of another name",
    }
}
