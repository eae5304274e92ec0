// SPDX-License-Identifier: MIT OR Apache-2.0

//! The whole of a text is one condition or one query, or it is refused with its place.
//!
//! polars parses a condition up to its first end and drops the rest without a word. Here the text
//! is parsed before polars sees it, with the same parser and options, so that what polars takes is
//! what was checked. It is bounded in length, nesting, chains and the parser's steps too, since
//! both recurse over what they read.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{Expr, Statement, Visit};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::meaning::Meaning;

/// Bytes of a text.
const MAX_BYTES: usize = 256 << 10;
/// Brackets that are open at once.
const MAX_OPEN: usize = 24;
/// Words and signs without a comma between them, with those of the brackets among them: no tree
/// that is made of the text is deeper.
const MAX_CHAIN: usize = 2000;
/// Steps of the parser per word or sign; sound texts take about two.
const STEPS_PER_TOKEN: usize = 16;

/// Why a text was refused.
#[derive(Debug)]
pub(crate) struct TextFault {
    /// What would have been accepted, where it is not just "SQL".
    pub(crate) expected: Option<String>,
    /// What was found, and where.
    pub(crate) found: String,
}

/// Refuses a text that is not one condition from its first sign to its last.
pub(crate) fn check_condition(text: &str) -> Result<(), TextFault> {
    let tokens = tokens(text)?;
    let comment = |t: &&TokenWithSpan| {
        use Whitespace::{MultiLineComment, SingleLineComment};
        matches!(t.token, Token::Whitespace(SingleLineComment { .. } | MultiLineComment(_)))
    };
    if let Some(comment) = tokens.iter().find(comment) {
        let expected = "a condition without comments".to_string();
        return Err(fault(text, comment.span.start, Some(expected), "a comment"));
    }
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general over the parser's lifetime"
    )]
    parse(text, tokens, |parser| parser.parse_expr(), "the end of the condition")
}

/// Refuses a text that is not one query, which may end in a semicolon.
pub(crate) fn check_query(text: &str) -> Result<(), TextFault> {
    let statement = |parser: &mut Parser| {
        let statement = parser.parse_statement()?;
        while parser.consume_token(&Token::SemiColon) {}
        Ok(statement)
    };
    parse(text, tokens(text)?, statement, "the end of the query")
}

/// What is parsed says whether it is a kind that is asked for here.
pub(crate) trait Parsed: Visit {
    fn is_asked(&self) -> bool;
}

impl Parsed for Expr {
    fn is_asked(&self) -> bool {
        true
    }
}

impl Parsed for Statement {
    fn is_asked(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Explain { .. } | Self::ShowTables { .. })
    }
}

fn parse<T: Parsed>(
    text: &str,
    tokens: Vec<TokenWithSpan>,
    what: impl Fn(&mut Parser) -> Result<T, ParserError>,
    end: &str,
) -> Result<(), TextFault> {
    check_shape(text, &tokens)?;
    let dialect = CountingDialect { left: Cell::new((tokens.len() + 16) * STEPS_PER_TOKEN) };
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    let mut parser = Parser::new(&dialect).with_options(options).with_tokens_with_locations(tokens);
    let parsed = what(&mut parser).map_err(|error| parser_fault(text, &error))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let found = format!("`{}`", next.token);
        return Err(fault(text, next.span.start, Some(end.into()), &found));
    }
    if !parsed.is_asked() {
        let found = "a statement that changes something".to_string();
        return Err(TextFault { expected: Some("a SELECT".into()), found });
    }
    Meaning::check(&parsed).map_err(|found| TextFault { expected: None, found })
}

fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, TextFault> {
    if text.len() > MAX_BYTES {
        return Err(TextFault {
            expected: Some(format!("at most {MAX_BYTES} bytes")),
            found: format!("{} bytes", text.len()),
        });
    }
    Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|e| fault(text, e.location, None, &e.message))
}

/// Refuses brackets that do not match, and texts whose tree would be too deep.
fn check_shape(text: &str, tokens: &[TokenWithSpan]) -> Result<(), TextFault> {
    let mut open: Vec<(Token, Location, Chain)> = Vec::new();
    let mut chain = Chain::default();
    for token in tokens {
        let at = token.span.start;
        match &token.token {
            Token::Whitespace(_) | Token::EOF => {}
            bracket @ (Token::LParen | Token::LBracket | Token::LBrace) => {
                open.push((bracket.clone(), at, std::mem::take(&mut chain)));
                if open.len() > MAX_OPEN {
                    let expected = format!("at most {MAX_OPEN} brackets in each other");
                    return Err(fault(text, at, Some(expected), "one more"));
                }
            }
            bracket @ (Token::RParen | Token::RBracket | Token::RBrace) => {
                let matching = match bracket {
                    Token::RParen => Token::LParen,
                    Token::RBracket => Token::LBracket,
                    _ => Token::LBrace,
                };
                match open.pop() {
                    Some((opened, _, outer)) if opened == matching => {
                        let inner = std::mem::replace(&mut chain, outer).length();
                        chain.inner = chain.inner.max(inner);
                        // x[1][2][3] is a chain as well.
                        chain.here += 1;
                    }
                    _ => {
                        let found = format!("`{bracket}`");
                        let expected = "a bracket that this one closes".to_string();
                        return Err(fault(text, at, Some(expected), &found));
                    }
                }
            }
            Token::Comma => chain.comma(),
            Token::Word(word) => chain.word(word.quote_style.is_none().then_some(&word.value)),
            _ => chain.word(None),
        }
    }
    if let Some((bracket, at, _)) = open.pop() {
        let found = format!("`{bracket}` that none closes");
        return Err(fault(text, at, Some("a closing bracket".into()), &found));
    }
    let length = chain.length();
    if length > MAX_CHAIN {
        return Err(TextFault {
            expected: Some(format!("at most {MAX_CHAIN} words and signs in a chain")),
            found: format!("{length}; a list, as in x IN (1, 2, 3), may be longer"),
        });
    }
    Ok(())
}

/// Counts what stands between two brackets: each level of a tree over it takes a word or sign.
#[derive(Debug, Default)]
struct Chain {
    /// Words and signs since the last comma.
    here: usize,
    /// The longest chain in brackets since the last comma.
    inner: usize,
    /// The longest so far.
    longest: usize,
    /// All words and signs, and the longest chain in any brackets.
    all: (usize, usize),
    /// UNION and its like join what stands before and after commas.
    is_joined: bool,
}

impl Chain {
    fn word(&mut self, keyword: Option<&String>) {
        self.here += 1;
        self.is_joined |= keyword.is_some_and(|word| {
            ["union", "intersect", "except", "minus"].iter().any(|k| word.eq_ignore_ascii_case(k))
        });
    }

    fn comma(&mut self) {
        self.longest = self.longest.max(self.here + self.inner);
        self.all = (self.all.0 + self.here + 1, self.all.1.max(self.inner));
        (self.here, self.inner) = (0, 0);
    }

    fn length(mut self) -> usize {
        self.comma();
        if self.is_joined { self.all.0 + self.all.1 } else { self.longest }
    }
}

fn parser_fault(text: &str, error: &ParserError) -> TextFault {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return TextFault {
                expected: Some("fewer conditions in each other".into()),
                found: "more than can be followed".into(),
            };
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    // The parser writes the place at the end of its message, and none for the end of the text.
    let placed = message.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message, Location { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    let (message, at) = placed.unwrap_or((message, Location::empty()));
    fault(text, at, None, message.trim_start_matches("sql parser error: "))
}

/// A fault with the line that it stands in and a caret under the place.
fn fault(text: &str, at: Location, expected: Option<String>, found: &str) -> TextFault {
    /// Signs of a long line that are shown on each side.
    const SHOWN: usize = 50;
    let lines: Vec<&str> = text.split('\n').collect();
    let (line, column) = if at.line == 0 {
        let last = lines.last().copied().unwrap_or_default();
        (lines.len(), last.chars().count() + 1)
    } else {
        (at.line as usize, at.column.max(1) as usize)
    };
    let signs: Vec<char> = lines.get(line - 1).unwrap_or(&"").chars().collect();
    let column = column.min(signs.len() + 1);
    let (from, to) = ((column - 1).saturating_sub(SHOWN), (column + SHOWN).min(signs.len()));
    let plain = |c: &char| if c.is_control() { ' ' } else { *c };
    let shown: String = signs[from..to].iter().map(plain).collect();
    let place = if lines.len() > 1 { format!("line {line}, ") } else { String::new() };
    let found = format!(
        "{found} at {place}column {column}\n  {shown}\n  {}^",
        " ".repeat(column - 1 - from)
    );
    TextFault { expected, found }
}

/// polars' dialect, which stops a parser that takes too many steps: some texts would take twice as
/// many with each word.
#[derive(Debug)]
struct CountingDialect {
    left: Cell<usize>,
}

/// Answers as [`GenericDialect`] does.
macro_rules! as_generic {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            GenericDialect.$name()
        })*
    };
}

impl Dialect for CountingDialect {
    fn dialect(&self) -> TypeId {
        GenericDialect.dialect()
    }

    fn parse_prefix(&self, _parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                None
            }
            None => Some(Err(ParserError::RecursionLimitExceeded)),
        }
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    as_generic! {
        supports_unicode_string_literal supports_group_by_expr supports_connect_by
        supports_match_recognize supports_start_transaction_modifier
        supports_window_function_null_treatment_arg supports_dictionary_syntax
        supports_window_clause_named_window_reference supports_parenthesized_set_variables
        supports_select_wildcard_except support_map_literal_syntax allow_extract_custom
        allow_extract_single_quotes supports_create_index_with_clause
        supports_explain_with_utility_options supports_limit_comma
        supports_asc_desc_in_column_definition supports_try_convert supports_comment_on
        supports_load_extension supports_named_fn_args_with_assignment_operator
        supports_struct_literal
    }
}

#[cfg(test)]
mod tests;
