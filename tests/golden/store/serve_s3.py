# SPDX-License-Identifier: MIT OR Apache-2.0
"""Serves one empty bucket of S3, called `bucket`, on this machine until its input ends.

    pip install -r requirements.txt
    python serve_s3.py

Prints the address. The test `mirror::a_bucket_of_s3_holds_a_store` of eosin-store starts it where
the environment variable EOSIN_PYTHON names an interpreter with moto.
"""

import sys

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"
client = boto3.client(
    "s3", endpoint_url=address, region_name="us-east-1",
    aws_access_key_id="test", aws_secret_access_key="test",
)
client.create_bucket(Bucket="bucket")
print(address, flush=True)
sys.stdin.read()
server.stop()
