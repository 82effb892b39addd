//! What both tools are told of the application: who its users are, what they may do, and where it answers.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;

use crate::app::App;
use crate::auth::{self, Verifier, system_clock};
use crate::backend::Backend;
use crate::endpoint::{self, Endpoint};
use crate::rules::Rules;
use crate::server::Inspect;
use crate::writes::rate::RateLimit;

/// Options by which an application is served, on the command line and as environment variables.
#[derive(Args, Clone, Default)]
pub struct AppOptions {
    /// Secret with which tokens are signed (HS256, HS384, HS512)
    #[arg(long, env = "ZERO_AUTH_SECRET", hide_env_values = true, value_name = "TEXT")]
    pub auth_secret: Option<String>,
    /// Public key with which tokens are verified, as JSON (a JWK)
    #[arg(long, env = "ZERO_AUTH_JWK", hide_env_values = true, value_name = "JSON")]
    pub auth_jwk: Option<String>,
    /// Where the issuer of tokens publishes its keys
    #[arg(long, env = "ZERO_AUTH_JWKS_URL", value_name = "URL")]
    pub auth_jwks_url: Option<String>,
    /// What a token must name as its issuer
    #[arg(long, env = "ZERO_AUTH_ISSUER", value_name = "TEXT")]
    pub auth_issuer: Option<String>,
    /// What a token must name as its audience
    #[arg(long, env = "ZERO_AUTH_AUDIENCE", value_name = "TEXT")]
    pub auth_audience: Option<String>,
    /// The application's endpoint for named queries; further ones, with * and :name, that clients may ask for
    #[arg(long, env = "ZERO_QUERY_URL", value_delimiter = ',', value_name = "URL")]
    pub query_url: Vec<String>,
    /// Key that is sent to the endpoint for queries
    #[arg(long, env = "ZERO_QUERY_API_KEY", hide_env_values = true, value_name = "TEXT")]
    pub query_api_key: Option<String>,
    /// Headers that clients may have sent to the endpoint for queries
    #[arg(
        long,
        env = "ZERO_QUERY_ALLOWED_CLIENT_HEADERS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub query_allowed_client_headers: Vec<String>,
    /// Send the cookies of a client's connection to the endpoint for queries
    #[arg(long, env = "ZERO_QUERY_FORWARD_COOKIES")]
    pub query_forward_cookies: bool,
    /// The application's endpoint for mutators; further ones, with * and :name, that clients may ask for
    #[arg(long, env = "ZERO_MUTATE_URL", value_delimiter = ',', value_name = "URL")]
    pub mutate_url: Vec<String>,
    /// Key that is sent to the endpoint for mutators
    #[arg(long, env = "ZERO_MUTATE_API_KEY", hide_env_values = true, value_name = "TEXT")]
    pub mutate_api_key: Option<String>,
    /// Headers that clients may have sent to the endpoint for mutators
    #[arg(
        long,
        env = "ZERO_MUTATE_ALLOWED_CLIENT_HEADERS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub mutate_allowed_client_headers: Vec<String>,
    /// Send the cookies of a client's connection to the endpoint for mutators
    #[arg(long, env = "ZERO_MUTATE_FORWARD_COOKIES")]
    pub mutate_forward_cookies: bool,
    /// How many mutations a user may send per window; all without it
    #[arg(long, env = "ZERO_PER_USER_MUTATION_LIMIT_MAX", value_name = "N")]
    pub per_user_mutation_limit_max: Option<u32>,
    /// The window, in milliseconds
    #[arg(
        long,
        env = "ZERO_PER_USER_MUTATION_LIMIT_WINDOW_MS",
        default_value_t = 60_000,
        value_name = "N"
    )]
    pub per_user_mutation_limit_window_ms: u64,
    /// File with the rules of who may read and write which rows; without it nobody may
    #[arg(long, env = "PENSTOCK_RULES", value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Let everybody read and write everything by ad-hoc queries and CRUD mutations
    #[arg(long, conflicts_with = "rules")]
    pub allow_all: bool,
    /// By which name the application goes
    #[arg(long, env = "ZERO_APP_ID", default_value = "zero", value_name = "NAME")]
    pub app_id: String,
    /// The number of the shard
    #[arg(long, env = "ZERO_SHARD_NUM", default_value_t = 0, value_name = "N")]
    pub shard_num: u32,
}

/// Options of the pages for operators.
#[derive(Args, Clone, Default)]
pub struct InspectOptions {
    /// Serve /inspect to browsers at this machine: clients, queries, and a console that reads every row
    #[arg(long, env = "PENSTOCK_INSPECT")]
    pub inspect: bool,
    /// Serve /inspect to whoever knows this password
    #[arg(long, env = "ZERO_ADMIN_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    pub admin_password: Option<String>,
}

impl InspectOptions {
    /// Who may look.
    #[must_use]
    pub fn inspect(&self) -> Inspect {
        match &self.admin_password {
            Some(password) if !password.is_empty() => Inspect::Password(password.clone()),
            _ if self.inspect => Inspect::Local,
            _ => Inspect::Off,
        }
    }
}

impl std::fmt::Debug for InspectOptions {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inspect().fmt(f)
    }
}

impl AppOptions {
    /// The application.
    ///
    /// # Errors
    /// A name that it cannot have.
    pub fn app(&self) -> Result<App, String> {
        App::new(self.app_id.clone(), self.shard_num).map_err(|error| error.to_string())
    }

    /// Who may do what, as the file of rules says.
    ///
    /// # Errors
    /// A file that cannot be read, with the place of what is wrong in it.
    pub fn read_rules(&self) -> Result<Rules, String> {
        if self.allow_all {
            return Ok(Rules::allow_all());
        }
        let Some(path) = &self.rules else { return Ok(Rules::deny_all()) };
        let at = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
        let json = serde_json::from_str(&text).map_err(|error| at(&error))?;
        Rules::parse(&json).map_err(|error| at(&error))
    }

    /// What the server needs others for, without a writer.
    ///
    /// # Errors
    /// Keys or URLs that cannot be used, or that contradict each other.
    pub fn backend(&self) -> Result<Backend, String> {
        let settings = auth::Settings {
            secret: self.auth_secret.clone(),
            jwk: self.auth_jwk.clone(),
            jwks_url: self.auth_jwks_url.clone(),
            issuer: self.auth_issuer.clone(),
            audience: self.auth_audience.clone(),
            leeway: None,
        };
        let clock = system_clock();
        let verifier =
            Verifier::new(&settings, clock.clone()).map_err(|error| error.to_string())?;
        let queries = self.endpoint(
            &self.query_url,
            self.query_api_key.as_ref(),
            &self.query_allowed_client_headers,
            self.query_forward_cookies,
        )?;
        let mutators = self.endpoint(
            &self.mutate_url,
            self.mutate_api_key.as_ref(),
            &self.mutate_allowed_client_headers,
            self.mutate_forward_cookies,
        )?;
        let window = Duration::from_millis(self.per_user_mutation_limit_window_ms);
        let limit = self.per_user_mutation_limit_max.map(|most| RateLimit::new(most, window));
        let rate_limit = limit.map(Mutex::new);
        Ok(Backend { queries, mutators, rate_limit, ..Backend::new(verifier, clock) })
    }

    fn endpoint(
        &self,
        urls: &[String],
        api_key: Option<&String>,
        allowed_headers: &[String],
        forward_cookies: bool,
    ) -> Result<Option<Endpoint>, String> {
        if urls.is_empty() {
            return Ok(None);
        }
        let settings = endpoint::Settings {
            urls: urls.to_vec(),
            api_key: api_key.cloned(),
            allowed_headers: allowed_headers.to_vec(),
            forward_cookies,
            ..endpoint::Settings::default()
        };
        Endpoint::new(settings, self.app()?).map(Some).map_err(|error| error.to_string())
    }
}

impl std::fmt::Debug for AppOptions {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppOptions")
            .field("query_url", &self.query_url)
            .field("mutate_url", &self.mutate_url)
            .field("rules", &self.rules)
            .field("allow_all", &self.allow_all)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Tool {
        #[command(flatten)]
        app: AppOptions,
        #[command(flatten)]
        inspect: InspectOptions,
    }

    fn options(arguments: &[&str]) -> AppOptions {
        let all = std::iter::once("tool").chain(arguments.iter().copied());
        Tool::try_parse_from(all).expect("good arguments").app
    }

    #[test]
    fn options_become_what_they_say() {
        let none = options(&[]);
        let backend = none.backend().expect("good options");
        assert!(
            backend.verifier.is_opaque() && backend.queries.is_none() && backend.mutators.is_none()
        );
        assert_eq!(none.read_rules(), Ok(Rules::deny_all()));
        assert_eq!(none.app(), Ok(App::default()));
        let all = options(&[
            "--auth-secret=hush",
            "--query-url=http://localhost:3000/query,http://localhost:*/query",
            "--mutate-url=http://localhost:3000/mutate",
            "--query-forward-cookies",
            "--per-user-mutation-limit-max=3",
            "--allow-all",
        ]);
        assert!(all.query_forward_cookies && !all.mutate_forward_cookies);
        let backend = all.backend().expect("good options");
        assert!(!backend.verifier.is_opaque() && backend.queries.is_some());
        assert!(backend.mutators.is_some() && backend.rate_limit.is_some());
        assert_eq!(all.read_rules(), Ok(Rules::allow_all()));
        assert!(!format!("{all:?}").contains("hush"));
    }

    #[test]
    fn operators_pages_are_off_unless_asked_for() {
        let inspect = |arguments: &[&str]| {
            let all = std::iter::once("tool").chain(arguments.iter().copied());
            Tool::try_parse_from(all).expect("good arguments").inspect.inspect()
        };
        assert_eq!(inspect(&[]), Inspect::Off);
        assert_eq!(inspect(&["--admin-password="]), Inspect::Off);
        assert_eq!(inspect(&["--inspect"]), Inspect::Local);
        let password = Inspect::Password("hush".to_owned());
        assert_eq!(inspect(&["--inspect", "--admin-password=hush"]), password);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let refused = |arguments: &[&str]| options(arguments).backend().err().unwrap_or_default();
        assert!(refused(&["--auth-secret=x", "--auth-jwk={}"]).contains("not several"));
        assert!(refused(&["--query-url=localhost"]).contains("localhost"));
        assert!(refused(&["--mutate-url=http://*/x"]).contains("placeholders"));
        assert!(options(&["--app-id=No"]).app().is_err());
        let missing = options(&["--rules=no/such/file"]).read_rules().expect_err("no file");
        assert!(missing.starts_with("no/such/file: "), "{missing}");
    }
}
