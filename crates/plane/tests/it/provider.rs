//! A provider of OpenID Connect on loopback: it gives tokens for the codes that a test says it gave, and claims for its tokens.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::issuer::{now, with_signature};

/// A provider that serves.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What it answers; with a status line in front, as it stands.
struct Answers {
    tokens: String,
    claims: String,
    is_silent: bool,
}

impl Provider {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers { tokens: String::new(), claims: String::new(), is_silent: false };
        let provider = Self { url, answers: Arc::new(Mutex::new(answers)), asked: Arc::default() };
        provider.tokens(json!({}));
        provider.claims(json!({}));
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let (mut head, mut length) = (String::new(), 0);
                    while stream.read_line(&mut head).await.is_ok_and(|read| read > 2) {
                        let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                        if let Some(value) = last.strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                    }
                    let mut body = vec![0; length];
                    if stream.read_exact(&mut body).await.is_err() {
                        return;
                    }
                    head.push_str(&String::from_utf8_lossy(&body));
                    match provider.answer(head) {
                        Some(answer) => _ = stream.get_mut().write_all(answer.as_bytes()).await,
                        None => std::future::pending::<()>().await,
                    }
                });
            }
        });
        provider
    }

    fn answer(&self, asked: String) -> Option<String> {
        let answers = self.answers.lock().unwrap();
        let body = if asked.starts_with("POST ") { &answers.tokens } else { &answers.claims };
        self.asked.lock().unwrap().push(asked);
        match body {
            _ if answers.is_silent => None,
            whole if whole.starts_with("HTTP/1.1 ") => Some(whole.clone()),
            body => Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
        }
    }

    /// An ID token that is good but for these changes.
    pub(crate) fn id_token(&self, changes: &Value) -> String {
        let mut payload = json!({ "iss": self.url, "aud": "shop", "sub": "ann", "exp": now() + 600 });
        payload.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        with_signature(&json!({ "alg": "RS256" }), &payload, "AAAA")
    }

    /// Gives good tokens but for these changes; a null takes a member away.
    pub(crate) fn tokens(&self, changes: Value) {
        let mut tokens = json!({
            "access_token": "access-1", "token_type": "Bearer", "expires_in": 60, "id_token": self.id_token(&json!({})),
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => _ = tokens.as_object_mut().unwrap().remove(name),
                value => tokens[name] = value.clone(),
            }
        }
        self.answers.lock().unwrap().tokens = tokens.to_string();
    }

    /// Answers this for tokens.
    pub(crate) fn for_tokens(&self, text: &str) {
        text.clone_into(&mut self.answers.lock().unwrap().tokens);
    }

    /// Tells these claims beside the usual ones.
    pub(crate) fn claims(&self, more: Value) {
        let mut claims = json!({ "sub": "ann", "email": "ann@example.com" });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.answers.lock().unwrap().claims = claims.to_string();
    }

    /// Answers this for claims.
    pub(crate) fn for_claims(&self, text: &str) {
        text.clone_into(&mut self.answers.lock().unwrap().claims);
    }

    /// Takes connections and never answers them.
    pub(crate) fn silent(&self) {
        self.answers.lock().unwrap().is_silent = true;
    }

    /// What it was asked, heads and bodies.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
