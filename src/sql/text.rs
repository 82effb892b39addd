//! The text of a statement: where things are in it, and how they are written.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};

use super::error::Place;

/// A statement's text, cut into tokens.
#[derive(Debug)]
pub(super) struct Text {
    sql: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    tokens: Vec<TokenWithSpan>,
}

/// An item of a SELECT list as it is written.
#[derive(Clone, Debug)]
pub(super) struct WrittenItem {
    pub(super) place: Place,
    pub(super) text: String,
}

/// A parameter as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenParam {
    pub(super) place: Place,
    /// As written, with its sign.
    pub(super) name: String,
}

impl Text {
    pub(super) fn new(sql: &str, tokens: Vec<TokenWithSpan>) -> Text {
        let mut lines = vec![0];
        lines.extend(sql.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1));
        Text { sql: sql.to_owned(), lines, tokens }
    }

    pub(super) fn tokens(&self) -> &[TokenWithSpan] {
        &self.tokens
    }

    /// Where the first token is.
    pub(super) fn start(&self) -> Place {
        self.words().next().map_or(Place { line: 1, column: 1 }, |token| Place::start(token.span))
    }

    /// Just after the last token.
    pub(super) fn end(&self) -> Place {
        self.words().last().map_or(Place { line: 1, column: 1 }, |t| t.span.end.into())
    }

    /// The first word, in capitals.
    pub(super) fn first_word(&self) -> String {
        self.words().next().map_or(String::new(), |token| token.token.to_string().to_uppercase())
    }

    /// Where a second statement begins.
    pub(super) fn after_semicolon(&self) -> Place {
        let mut words = self.words().skip_while(|token| token.token != Token::SemiColon);
        let second = words.find(|token| token.token != Token::SemiColon);
        second.map_or(self.end(), |token| Place::start(token.span))
    }

    fn words(&self) -> impl Iterator<Item = &TokenWithSpan> {
        self.tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    /// The byte at a place. Columns count characters.
    fn byte(&self, at: Location) -> usize {
        let line = usize::try_from(at.line).unwrap_or(1).saturating_sub(1);
        let begin = self.lines.get(line).copied().unwrap_or(self.sql.len());
        let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
        let rest = &self.sql[begin..];
        begin + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
    }

    /// Whether a number in hexadecimal, not a blob, is written at a place.
    pub(super) fn is_hex_number(&self, place: Place) -> bool {
        let at = self.byte(Location { line: place.line, column: place.column });
        self.sql[at..].starts_with('0')
    }

    /// The items of the SELECT list that begins after a SELECT at a place.
    pub(super) fn items(&self, select: Place) -> Vec<WrittenItem> {
        let mut tokens = self.words().skip_while(|t| Place::start(t.span) < select).skip(1);
        let mut items = Vec::new();
        let mut current: Option<(Location, Location)> = None;
        let (mut depth, mut before) = (0_usize, Keyword::NoKeyword);
        let mut close = |range: &mut Option<(Location, Location)>| {
            if let Some((start, end)) = range.take() {
                let text = self.sql[self.byte(start)..self.byte(end)].trim().to_owned();
                items.push(WrittenItem { place: start.into(), text });
            }
        };
        for token in tokens.by_ref() {
            let keyword = match &token.token {
                Token::Word(Word { keyword, quote_style: None, .. }) => *keyword,
                _ => Keyword::NoKeyword,
            };
            match (&token.token, keyword) {
                (Token::LParen, _) => depth += 1,
                (Token::RParen | Token::SemiColon, _) if depth == 0 => break,
                (Token::RParen, _) => depth -= 1,
                (Token::Comma, _) if depth == 0 => {
                    close(&mut current);
                    before = Keyword::NoKeyword;
                    continue;
                }
                (_, Keyword::DISTINCT | Keyword::ALL) if current.is_none() => continue,
                (_, Keyword::FROM) if before == Keyword::DISTINCT => {}
                (_, ending) if depth == 0 && ENDS_LIST.contains(&ending) => break,
                _ => {}
            }
            before = keyword;
            let start = current.map_or(token.span.start, |(start, _)| start);
            current = Some((start, token.span.end));
        }
        close(&mut current);
        items
    }

    /// The parameters in the order written.
    pub(super) fn parameters(&self) -> Vec<WrittenParam> {
        let mut found = Vec::new();
        let mut tokens = self.tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let place = Place::start(token.span);
            let sign = match &token.token {
                Token::Placeholder(name) => {
                    found.push(WrittenParam { place, name: name.clone() });
                    continue;
                }
                Token::Colon => ':',
                Token::AtSign => '@',
                _ => continue,
            };
            let name = match tokens.peek().map(|next| &next.token) {
                Some(Token::Word(word)) => word.value.clone(),
                Some(Token::Number(digits, _)) => digits.clone(),
                _ => continue,
            };
            found.push(WrittenParam { place, name: format!("{sign}{name}") });
        }
        found
    }
}

const ENDS_LIST: [Keyword; 9] = [
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
];
