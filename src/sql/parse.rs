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

/// How many operators of arithmetic a statement may have. A chain of them nests to the left.
const ARITHMETIC_MAX: usize = 500;

/// How many AND, OR and NOT a statement may have.
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

fn check_size(tokens: &[TokenWithSpan]) -> Outcome<()> {
    let (mut arithmetic, mut logic) = (0, 0);
    let mut after_operand = false;
    for token in tokens {
        let place = Place::start(token.span);
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::Minus | Token::Plus | Token::Mul if !after_operand => {}
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::Ampersand
            | Token::Pipe
            | Token::ShiftLeft
            | Token::ShiftRight
            | Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::LtEq
            | Token::Gt
            | Token::GtEq
            | Token::Arrow
            | Token::LongArrow => arithmetic += 1,
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::AND | Keyword::OR => {
                    logic += 1;
                    // Comparisons between them are not nested in one another.
                    arithmetic = arithmetic.min(ARITHMETIC_MAX / 2);
                }
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::IS => logic += 1,
                _ => {}
            },
            _ => {}
        }
        if arithmetic > ARITHMETIC_MAX || logic > LOGIC_MAX {
            return place.refuse(format!(
                "the statement is too large: more than {ARITHMETIC_MAX} operators or {LOGIC_MAX} \
                 conditions"
            ));
        }
        after_operand = !matches!(
            token.token,
            Token::Comma | Token::LParen | Token::Eq | Token::Lt | Token::Gt | Token::Minus
        );
    }
    Ok(())
}

/// The parser's error as one of ours: its place split from its text.
fn syntax_error(error: ParserError, text: &Text) -> crate::query::QueryError {
    match error {
        ParserError::RecursionLimitExceeded => Place::default().error(format!(
            "expressions and subqueries are nested more than {DEPTH_MAX} deep; nest less"
        )),
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
