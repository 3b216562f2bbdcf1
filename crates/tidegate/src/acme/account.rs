//! The account at the authority: made once, kept for the server's user alone, and used again after a restart. Another directory has another.

use std::path::{Path, PathBuf};

use instant_acme::{Account, AccountCredentials, Error, NewAccount};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::http::Http;
use crate::config::Acme;
use crate::private;

/// Where accounts are kept, below the data directory.
const DIRECTORY: &str = "acme";
/// Bytes of the directory's digest that name an account's file.
const DIGEST_BYTES: usize = 8;

/// What is kept of an account. It holds the key.
#[derive(Serialize, Deserialize)]
struct Kept {
    contact: Vec<String>,
    credentials: AccountCredentials,
}

/// The account, once there is one.
pub(super) struct Book {
    file: Option<PathBuf>,
    /// What the file holds; of a server without a data directory it is all that there is.
    kept: Mutex<Option<String>>,
}

impl Book {
    /// The account of a data directory.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(super) fn open(data_dir: Option<&Path>, acme: &Acme) -> Result<Self, String> {
        let Some(data_dir) = data_dir else { return Ok(Self { file: None, kept: Mutex::default() }) };
        let digest = Sha256::digest(&acme.directory);
        let name: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let directory = data_dir.join(DIRECTORY);
        let file = directory.join(format!("account-{name}.json"));
        let failed = |error: std::io::Error| format!("{}: {error}", file.display());
        private::directory(&directory).map_err(failed)?;
        let kept = match std::fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { kept: Mutex::new(kept), file: Some(file) })
    }

    /// The account, made where there is none yet.
    pub(super) async fn account(&self, acme: &Acme, http: Http) -> Result<Account, Error> {
        let mut kept = self.kept.lock().await;
        let builder = Account::builder_with_http(Box::new(http));
        let Some(text) = kept.as_deref() else {
            let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
            let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
            let (account, credentials) = builder.create(&wanted, acme.directory.clone(), None).await?;
            tracing::info!(account = account.id(), directory = acme.directory, "an account was made at the authority");
            self.keep(&mut kept, &Kept { contact: acme.contact.clone(), credentials })?;
            return Ok(account);
        };
        let Kept { contact, credentials } = serde_json::from_str(text)?;
        let account = builder.from_credentials(credentials).await?;
        if contact != acme.contact {
            let wanted: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
            account.update_contacts(&wanted).await?;
            let Kept { credentials, .. } = serde_json::from_str(text)?;
            self.keep(&mut kept, &Kept { contact: acme.contact.clone(), credentials })?;
        }
        Ok(account)
    }

    /// Forgets an account that the authority does not know any more, so that the next order makes another.
    pub(super) async fn forget(&self) {
        let mut kept = self.kept.lock().await;
        if let Some(file) = &self.file
            && let Err(error) = std::fs::remove_file(file)
        {
            tracing::warn!(%error, file = %file.display(), "an account that the authority does not know cannot be removed");
        }
        *kept = None;
    }

    fn keep(&self, kept: &mut Option<String>, account: &Kept) -> Result<(), Error> {
        let text = serde_json::to_string(account)?;
        if let Some(file) = &self.file {
            private::replace(file, text.as_bytes())
                .map_err(|error| Error::Other(format!("{}: {error}", file.display()).into()))?;
        }
        *kept = Some(text);
        Ok(())
    }
}
