//! Matches for gRPC (S12): a call is a POST to `/package.Service/Method`.

use std::sync::Arc;

use super::HttpMatch;

/// A name that gRPC does not have. Names of services and methods have letters, digits and `_`; those of services may have a package, with
/// dots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name of gRPC")]
pub struct BadGrpcName(Arc<str>);

impl HttpMatch {
    /// Calls of one method: `HttpMatch::grpc_method("add", "shop.Cart", "Add")`.
    ///
    /// # Errors
    /// When the service or the method has a name that gRPC does not have.
    pub fn grpc_method(name: &str, service: &str, method: &str) -> Result<Self, BadGrpcName> {
        if !is_identifier(method) {
            return Err(BadGrpcName(method.into()));
        }
        Self::grpc(name, service, &format!("{method}$"))
    }

    /// Calls of every method of a service: `HttpMatch::grpc_service("cart", "shop.Cart")`.
    ///
    /// # Errors
    /// When the service has a name that gRPC does not have.
    pub fn grpc_service(name: &str, service: &str) -> Result<Self, BadGrpcName> {
        Self::grpc(name, service, "")
    }

    // SPEC: S12. Law: s12_matches_of_grpc_take_their_calls_and_no_others.
    fn grpc(name: &str, service: &str, method: &str) -> Result<Self, BadGrpcName> {
        if !service.split('.').all(is_identifier) {
            return Err(BadGrpcName(service.into()));
        }
        Ok(Self {
            name: name.into(),
            path_regex: Some(format!("/{}/{method}", service.replace('.', "\\.")).into()),
            methods: Some(vec!["POST".into()]),
            headers: None,
        })
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_matches_are_what_one_would_write() {
        let one = HttpMatch::grpc_method("add", "shop.Cart", "Add").unwrap();
        assert_eq!(one.path_regex.as_deref(), Some(r"/shop\.Cart/Add$"));
        assert_eq!(one.methods, Some(vec!["POST".into()]));
        let all = HttpMatch::grpc_service("cart", "shop.v1.Cart").unwrap();
        assert_eq!(all.path_regex.as_deref(), Some(r"/shop\.v1\.Cart/"));
        assert_eq!(HttpMatch::grpc_service("h", "Health").unwrap().path_regex.as_deref(), Some("/Health/"));
    }

    #[test]
    fn s12_other_names_are_refused() {
        for service in
            ["", "shop.", ".Cart", "shop..Cart", "shop/Cart", "shop.*", "shop.Cart/Add", "1.Cart", "Käse"]
        {
            assert_eq!(HttpMatch::grpc_service("m", service), Err(BadGrpcName(service.into())));
            assert!(HttpMatch::grpc_method("m", service, "Add").is_err(), "{service}");
        }
        for method in ["", "*", "Add|", "Add/", "a.b"] {
            assert_eq!(HttpMatch::grpc_method("m", "shop.Cart", method), Err(BadGrpcName(method.into())));
        }
    }
}
