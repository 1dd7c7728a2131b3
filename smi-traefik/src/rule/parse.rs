//! Text to rules, as Traefik reads it (Go expressions). For the simulator and for tests.

use super::{Matcher, Rule};

/// Why a text is not a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte in the text.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

impl std::error::Error for ParseError {}

/// Reads a rule; `&&` binds tighter than `||`.
///
/// # Errors
/// At the first byte that does not fit.
pub fn parse(text: &str) -> Result<Rule, ParseError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let rule = parser.or()?;
    parser.space();
    if parser.at < text.len() { Err(parser.error("the end")) } else { Ok(rule) }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, expected: &'static str) -> ParseError {
        ParseError { at: self.at, expected }
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn or(&mut self) -> Result<Rule, ParseError> {
        let mut rules = vec![self.and()?];
        while self.take("||") {
            rules.push(self.and()?);
        }
        Rule::any(rules).ok_or_else(|| self.error("a rule"))
    }

    fn and(&mut self) -> Result<Rule, ParseError> {
        let mut rules = vec![self.one()?];
        while self.take("&&") {
            rules.push(self.one()?);
        }
        Rule::all(rules).ok_or_else(|| self.error("a rule"))
    }

    fn deeper(&mut self, inner: impl Fn(&mut Self) -> Result<Rule, ParseError>) -> Result<Rule, ParseError> {
        self.depth += 1;
        if self.depth > 64 {
            return Err(self.error("fewer parentheses"));
        }
        let rule = inner(self)?;
        self.depth -= 1;
        Ok(rule)
    }

    fn one(&mut self) -> Result<Rule, ParseError> {
        if self.take("(") {
            let rule = self.deeper(Self::or)?;
            return if self.take(")") { Ok(rule) } else { Err(self.error("`)`")) };
        }
        if self.take("!") {
            return self.deeper(Self::one).map(Rule::negated);
        }
        self.space();
        let name_end = self.rest().find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest().len());
        let name = self.rest().get(..name_end).unwrap_or_default();
        let matcher =
            Matcher::ALL.iter().copied().find(|m| m.name() == name).ok_or_else(|| self.error("a matcher"))?;
        self.at += name.len();
        if !self.take("(") {
            return Err(self.error("`(`"));
        }
        let mut arguments = vec![self.literal()?];
        while self.take(",") {
            arguments.push(self.literal()?);
        }
        if self.take(")") { Ok(Rule::Match(matcher, arguments)) } else { Err(self.error("`)`")) }
    }

    fn literal(&mut self) -> Result<String, ParseError> {
        if self.take("`") {
            let (text, _) = self.rest().split_once('`').ok_or_else(|| self.error("a closing backtick"))?;
            self.at += text.len() + 1;
            return Ok(text.replace('\r', ""));
        }
        if !self.take("\"") {
            return Err(self.error("a string"));
        }
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some(c @ ('"' | '\\')) => out.push(c),
                    Some('x') => {
                        let mut digit = || chars.next().and_then(|(_, c)| c.to_digit(16));
                        let value =
                            digit().zip(digit()).and_then(|(high, low)| char::from_u32(high * 16 + low));
                        out.push(value.ok_or_else(|| self.error("two hex digits"))?);
                    }
                    _ => return Err(self.error("an escape")),
                },
                c => out.push(c),
            }
        }
        Err(self.error("a closing quote"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule() -> impl Strategy<Value = Rule> {
        let leaf =
            (0..Matcher::ALL.len(), proptest::collection::vec("[a-z`\"\\\\|&()${}\u{1}\r\né]{0,6}", 1..3))
                .prop_map(|(m, arguments)| Rule::Match(Matcher::ALL[m], arguments));
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..4).prop_map(|r| Rule::all(r).unwrap()),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(|r| Rule::any(r).unwrap()),
                inner.prop_map(Rule::negated),
            ]
        })
    }

    proptest! {
        /// Whatever stands in a regular expression, it is read back as that and nothing else.
        #[test]
        fn rules_read_back(rule in rule()) {
            prop_assert_eq!(parse(&rule.to_string()), Ok(rule));
        }
    }

    #[test]
    fn a_backtick_does_not_end_a_string() {
        let hostile = "x`) || PathPrefix(`/";
        let rule = Rule::one(Matcher::PathRegexp, hostile);
        assert_eq!(parse(&rule.to_string()), Ok(rule));
    }
}
