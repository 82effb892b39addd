//! SQLite's dialect as the parser needs to be told of it: the precedence of operators, and what of
//! SQLite's grammar it does not know by itself.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::dialect::{Dialect, Precedence, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// SQLite's dialect, with subqueries as arguments: `ARRAY(SELECT …)`, `ONE(SELECT …)`.
#[derive(Debug)]
pub(super) struct LiveDialect;

const SQLITE: SQLiteDialect = SQLiteDialect {};

/// Binds tighter than every operator between two operands.
const UNARY: u8 = 60;
const CONCAT: u8 = 45;
const MULTIPLY: u8 = 40;
const ADD: u8 = 30;
const BITS: u8 = 25;
const ORDER: u8 = 22;
const EQUALITY: u8 = 20;

impl Dialect for LiveDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<SQLiteDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        SQLITE.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        SQLITE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        SQLITE.is_identifier_part(ch) || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        false
    }

    fn supports_in_empty_list(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 100,
            Precedence::DoubleColon | Precedence::AtTz => UNARY,
            Precedence::PgOther => CONCAT,
            Precedence::MulDivModOp => MULTIPLY,
            Precedence::PlusMinus => ADD,
            Precedence::Ampersand
            | Precedence::Caret
            | Precedence::Pipe
            | Precedence::Xor
            | Precedence::Colon => BITS,
            Precedence::Between | Precedence::Eq | Precedence::Like | Precedence::Is => EQUALITY,
            Precedence::UnaryNot => 15,
            Precedence::And => 10,
            Precedence::Or => 5,
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        let precedence = match &parser.peek_token_ref().token {
            Token::StringConcat | Token::Arrow | Token::LongArrow => CONCAT,
            Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => ORDER,
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::NOT => match &parser.peek_nth_token_ref(1).token {
                    Token::Word(next) if next.keyword == Keyword::NULL => EQUALITY,
                    _ => return None,
                },
                _ if word.value.eq_ignore_ascii_case("isnull") => EQUALITY,
                _ => return None,
            },
            _ => return None,
        };
        Some(Ok(precedence))
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let op = match &parser.peek_token_ref().token {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            Token::Tilde => UnaryOperator::BitwiseNot,
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(UNARY);
        Some(operand.map(|operand| Expr::UnaryOp { op, expr: Box::new(operand) }))
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let left = || Box::new(expr.clone());
        let word = match &parser.peek_token_ref().token {
            Token::Word(word) if word.quote_style.is_none() => word,
            _ => return None,
        };
        if word.value.eq_ignore_ascii_case("isnull") {
            parser.advance_token();
            return Some(Ok(Expr::IsNull(left())));
        }
        if word.keyword == Keyword::IS {
            return self.parse_is(parser, expr, precedence);
        }
        let negated = word.keyword == Keyword::NOT;
        let operator = if negated { parser.peek_nth_token_ref(1) } else { parser.peek_token_ref() };
        let Token::Word(operator) = &operator.token else { return None };
        let op = match operator.keyword {
            Keyword::GLOB => BinaryOperator::Glob,
            Keyword::MATCH => BinaryOperator::Match,
            Keyword::REGEXP => BinaryOperator::Regexp,
            _ => return None,
        };
        parser.advance_token();
        if negated {
            parser.advance_token();
        }
        let right = match parser.parse_subexpr(precedence) {
            Ok(right) => Box::new(right),
            Err(error) => return Some(Err(error)),
        };
        let test = Expr::BinaryOp { left: left(), op, right };
        Some(Ok(if negated {
            Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(test))) }
        } else {
            test
        }))
    }
}

impl LiveDialect {
    /// `IS` and `IS NOT` between any two operands, which the parser only knows before NULL, TRUE,
    /// FALSE and DISTINCT FROM.
    fn parse_is(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let word = |at: usize| match &parser.peek_nth_token_ref(at).token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        };
        let negated = word(1) == Some(Keyword::NOT);
        let known = [Keyword::NULL, Keyword::TRUE, Keyword::FALSE, Keyword::DISTINCT];
        if word(1 + usize::from(negated)).is_some_and(|next| known.contains(&next)) {
            return None;
        }
        parser.advance_token();
        if negated {
            parser.advance_token();
        }
        let right = match parser.parse_subexpr(precedence) {
            Ok(right) => Box::new(right),
            Err(error) => return Some(Err(error)),
        };
        let left = Box::new(left.clone());
        Some(Ok(if negated {
            Expr::IsDistinctFrom(left, right)
        } else {
            Expr::IsNotDistinctFrom(left, right)
        }))
    }
}
