//! From text to a syntax tree: one SELECT statement, within limits.

use sqlparser::ast::{Query, SetExpr, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::dialect::LiveDialect;
use super::error::{Outcome, Place};
use super::text::Text;

/// How deeply expressions and subqueries may be nested. It bounds the recursion of everything that
/// walks a statement.
const DEPTH_MAX: usize = 60;

/// How many operators may stand one after the other in an expression: they nest to the left.
const CHAIN_MAX: usize = 200;

/// How many NOT and signs may stand before an operand.
const PREFIX_MAX: usize = 40;

/// How deeply SELECTs may be nested in one another.
const SELECT_DEPTH_MAX: usize = 16;

/// How many AND, OR and SELECTs a statement may have.
const LOGIC_MAX: usize = 1_000;

/// Reads one SELECT statement.
pub(super) fn parse(sql: &str) -> Outcome<(Box<Query>, Text)> {
    let tokens = Tokenizer::new(&LiveDialect, sql)
        .tokenize_with_location()
        .map_err(|error| Place::from(error.location).error(lower(&error.message)))?;
    check_size(&tokens)?;
    let text = Text::new(sql, tokens);
    let statements = Parser::new(&LiveDialect)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens_with_locations(text.tokens().to_vec())
        .parse_statements()
        .map_err(|error| syntax_error(error, &text))?;
    let mut statements = statements.into_iter();
    let (first, second) = (statements.next(), statements.next());
    if second.is_some() {
        return text
            .after_semicolon()
            .refuse("there is a second statement; a query is one SELECT statement");
    }
    match first {
        None => Place::default().refuse("the text is empty; a query is one SELECT statement"),
        Some(Statement::Query(query)) if is_select(&query.body) => Ok((query, text)),
        Some(_) => {
            let word = text.first_word();
            text.start().refuse(format!(
                "{word} is not a query; a query is one SELECT statement (write through \
                 Database::transaction)"
            ))
        }
    }
}

fn is_select(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(_) | SetExpr::Values(_) => true,
        SetExpr::Query(query) => is_select(&query.body),
        SetExpr::SetOperation { left, right, .. } => is_select(left) && is_select(right),
        _ => false,
    }
}

/// Bounds what is nested without being seen as nested by the parser.
fn check_size(tokens: &[TokenWithSpan]) -> Outcome<()> {
    let (mut chain, mut around, mut logic, mut prefix) = (0, Vec::new(), 0, 0);
    // Whether each parenthesis that is open holds a SELECT.
    let mut selects: Vec<bool> = Vec::new();
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let keyword = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        };
        let is_prefix = keyword == Keyword::NOT
            || matches!(token.token, Token::Minus | Token::Plus | Token::Tilde);
        prefix = if is_prefix { prefix + 1 } else { 0 };
        match (&token.token, keyword) {
            (Token::LParen, _) | (_, Keyword::CASE) => {
                around.push(chain);
                selects.push(false);
                chain = 0;
            }
            (Token::RParen, _) | (_, Keyword::END) => {
                chain = around.pop().unwrap_or(0);
                selects.pop();
            }
            (_, Keyword::AND | Keyword::OR | Keyword::SELECT) => {
                (chain, logic) = (0, logic + 1);
                if keyword == Keyword::SELECT {
                    selects.last_mut().into_iter().for_each(|holds| *holds = true);
                }
            }
            (Token::Comma | Token::SemiColon, _)
            | (_, Keyword::WHEN | Keyword::THEN | Keyword::ELSE)
            | (_, Keyword::FROM | Keyword::WHERE | Keyword::ON | Keyword::BY)
            | (_, Keyword::HAVING | Keyword::LIMIT | Keyword::OFFSET) => chain = 0,
            // Operands do not nest, all else may.
            (Token::Number(..) | Token::SingleQuotedString(_) | Token::Period, _) => {}
            (Token::Word(word), Keyword::NoKeyword)
                if !word.value.eq_ignore_ascii_case("isnull") => {}
            _ => chain += 1,
        }
        let what = if chain > CHAIN_MAX {
            format!("more than {CHAIN_MAX} operators stand in one chain; use parentheses")
        } else if selects.iter().filter(|holds| **holds).count() >= SELECT_DEPTH_MAX {
            format!("SELECTs are nested more than {SELECT_DEPTH_MAX} deep")
        } else if prefix > PREFIX_MAX {
            format!("more than {PREFIX_MAX} signs or NOT stand before an operand")
        } else if logic > LOGIC_MAX {
            format!("there are more than {LOGIC_MAX} conditions and SELECTs")
        } else {
            continue;
        };
        return Place::start(token.span).refuse(format!("the statement is too large: {what}"));
    }
    Ok(())
}

/// The parser's error as one of ours: its place split from its text.
fn syntax_error(error: ParserError, text: &Text) -> crate::query::QueryError {
    match error {
        ParserError::RecursionLimitExceeded => Place::default()
            .error(format!("expressions are nested too deeply: {DEPTH_MAX} levels at most")),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, place) = match message.rsplit_once(" at Line: ") {
                Some((message, at)) => {
                    let mut numbers = at.split(", Column: ").map(|n| n.trim().parse::<u64>().ok());
                    let line = numbers.next().flatten().unwrap_or(0);
                    let column = numbers.next().flatten().unwrap_or(0);
                    (message.to_owned(), Place { line, column })
                }
                None => (message, Place::default()),
            };
            let place = if message.ends_with("found: EOF") { text.end() } else { place };
            place.error(format!("syntax error: {}", lower(&message)))
        }
    }
}

/// The text without a capital at its beginning.
fn lower(message: &str) -> String {
    let mut letters = message.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
