//! Circuit breaker expressions (S34).
//!
//! Grammar: `NetworkErrorRatio() > 0.30`, `ResponseCodeRatio(500, 600, 0, 600) > 0.25`, `LatencyAtQuantileMS(50.0) > 100`, joined by
//! `&&` (binds tighter) and `||`, with parentheses.
//! Source: the expressions of Traefik's circuit breaker, which Traefik Mesh's annotation takes.

use crate::ir::{BreakerExpr, Comparison};

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<BreakerExpr, String> {
    let mut parser = Parser { text, at: 0, depth: 0, terms: 0 };
    let expr = parser.or()?;
    parser.space();
    if parser.at < text.len() { Err(parser.expected("`&&`, `||` or the end")) } else { Ok(expr) }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expected(&self, what: &str) -> String {
        let rest = self.rest();
        if rest.is_empty() {
            format!("expected {what} at the end")
        } else {
            let rest: String = rest.chars().take(40).collect();
            format!("expected {what} at `{rest}`")
        }
    }

    fn need(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }

    fn or(&mut self) -> Result<BreakerExpr, String> {
        let mut left = self.and()?;
        while self.take("||") {
            left = BreakerExpr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<BreakerExpr, String> {
        let mut left = self.one()?;
        while self.take("&&") {
            left = BreakerExpr::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<BreakerExpr, String> {
        // Trees are walked by recursion, and a long chain is a deep tree.
        self.terms += 1;
        if self.terms > 64 {
            return Err("too many conditions".into());
        }
        if self.take("(") {
            self.depth += 1;
            if self.depth > 32 {
                return Err("too many parentheses".into());
            }
            let inner = self.or()?;
            self.depth -= 1;
            self.need(")")?;
            return Ok(inner);
        }
        if self.take("NetworkErrorRatio") {
            self.need("(")?;
            self.need(")")?;
            return Ok(BreakerExpr::NetworkErrorRatio(self.comparison()?));
        }
        if self.take("ResponseCodeRatio") {
            self.need("(")?;
            let from = self.status()?;
            self.need(",")?;
            let to = self.status()?;
            self.need(",")?;
            let of_from = self.status()?;
            self.need(",")?;
            let of_to = self.status()?;
            self.need(")")?;
            let than = self.comparison()?;
            return Ok(BreakerExpr::ResponseCodeRatio { from, to, of_from, of_to, than });
        }
        if self.take("LatencyAtQuantileMS") {
            self.need("(")?;
            let quantile = self.number()?;
            self.need(")")?;
            return Ok(BreakerExpr::LatencyAtQuantileMs(quantile.into(), self.comparison()?));
        }
        Err(self.expected("`NetworkErrorRatio`, `ResponseCodeRatio`, `LatencyAtQuantileMS` or `(`"))
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        let operator = [">=", "<=", "==", "!=", ">", "<"].into_iter().find(|o| self.take(o));
        let operator = operator.ok_or_else(|| self.expected("a comparison"))?;
        Ok(Comparison { operator, value: self.number()?.into() })
    }

    fn number(&mut self) -> Result<&'t str, String> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, _) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let valid = number.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && number.bytes().last().is_some_and(|b| b.is_ascii_digit())
            && number.matches('.').count() <= 1;
        if !valid {
            return Err(self.expected("a number"));
        }
        self.at += end;
        Ok(number)
    }

    fn status(&mut self) -> Result<u16, String> {
        let before = self.at;
        let number = self.number()?;
        number.parse().map_err(|_| {
            self.at = before;
            self.expected("a status code")
        })
    }
}

impl std::fmt::Display for BreakerExpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NetworkErrorRatio(than) => {
                write!(f, "NetworkErrorRatio() {} {}", than.operator, than.value)
            }
            Self::ResponseCodeRatio { from, to, of_from, of_to, than } => {
                write!(
                    f,
                    "ResponseCodeRatio({from}, {to}, {of_from}, {of_to}) {} {}",
                    than.operator, than.value
                )
            }
            Self::LatencyAtQuantileMs(quantile, than) => {
                write!(f, "LatencyAtQuantileMS({quantile}) {} {}", than.operator, than.value)
            }
            Self::And(a, b) => write!(f, "({a} && {b})"),
            Self::Or(a, b) => write!(f, "({a} || {b})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s34_expressions_read_back() {
        for text in [
            "NetworkErrorRatio() > 0.30",
            "ResponseCodeRatio(500, 600, 0, 600) > 0.25",
            "LatencyAtQuantileMS(50.0) > 100",
            "(NetworkErrorRatio() > 0.5 && LatencyAtQuantileMS(99) >= 10)",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        let both =
            parse("NetworkErrorRatio()>0.1||NetworkErrorRatio()>0.2&&NetworkErrorRatio()>0.3").unwrap();
        assert!(matches!(both, BreakerExpr::Or(..)), "`&&` binds tighter");
    }

    #[test]
    fn s34_faulty_expressions_say_where() {
        for (text, part) in [
            ("", "at the end"),
            ("NetworkErrorRatio() > many", "many"),
            ("NetworkErrorRatio() > 0.1 NetworkErrorRatio()", "NetworkErrorRatio()"),
            ("Errors() > 1", "Errors"),
            ("ResponseCodeRatio(500, 99999, 0, 600) > 1", "99999"),
            ("LatencyAtQuantileMS(50.) > 1", "50."),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
        let chain = vec!["NetworkErrorRatio() > 1"; 100_000].join(" && ");
        assert_eq!(parse(&chain).unwrap_err(), "too many conditions");
    }
}
