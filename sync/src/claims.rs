//! Who a client is, as far as its token says.

use serde_json::{Map, Value as Json};

/// What a verified token says of the user, or nothing for somebody who is not logged in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// The members of the token's payload, `sub` and `exp` among them. Rules read them by name.
    pub members: Map<String, Json>,
}

impl Claims {
    /// The user: `sub`, where it is text.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.members.get("sub")?.as_str()
    }

    /// Until when the token is valid (`exp`), in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn expires(&self) -> Option<f64> {
        self.members.get("exp")?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_and_end_are_read_where_they_are_of_their_types() {
        let claims = |json: Json| Claims { members: json.as_object().cloned().unwrap_or_default() };
        let ada = claims(json!({"sub": "ada", "exp": 12.5}));
        assert_eq!((ada.user(), ada.expires()), (Some("ada"), Some(12.5)));
        let odd = claims(json!({"sub": 7, "exp": "later"}));
        assert_eq!((odd.user(), odd.expires()), (None, None));
    }
}
