//! The stand-in for S3: `s3://BUCKET/KEY` is the file `KEY` below a directory for each bucket (`s3.root`), and a version `V` of it
//! the file `KEY@V`. Only what lies below that directory is read, whatever a key spells and wherever a link points.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use control::objects::{ObjectName, Objects};

/// Reads the objects that a call names.
pub(crate) async fn of_call(root: Option<&Path>, call: &wire::Call) -> Objects {
    let mut objects = Objects::default();
    for (name, bytes_max) in control::objects::named_by(call) {
        let (root, wanted) = (root.map(Path::to_owned), name.clone());
        let read = tokio::task::spawn_blocking(move || read(root.as_deref(), &wanted, bytes_max)).await;
        objects.insert(name, read.unwrap_or_else(|_| Err("the object could not be read".to_owned())));
    }
    objects
}

/// Reads what a call carries on a thread where that may take its time.
///
/// # Errors
/// When the reader met a defect, which must not end anything else.
pub(crate) async fn read_ahead(call: wire::Call, mut objects: Objects) -> Result<(wire::Call, Objects), String> {
    let reading = tokio::task::spawn_blocking(move || {
        control::ahead::read_ahead(&call, &mut objects);
        (call, objects)
    });
    reading.await.map_err(|error| format!("the reader of what a call carries failed: {error}"))
}

fn read(root: Option<&Path>, name: &ObjectName, bytes_max: u64) -> Result<Vec<u8>, String> {
    let root = root.ok_or("there is no directory for objects: set s3.root")?;
    let path = path(root, name).ok_or_else(|| format!("{} names no object", name.uri))?;
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let (root, found) = (root.canonicalize().map_err(failed)?, path.canonicalize().map_err(failed)?);
    if !found.starts_with(&root) || !found.is_file() {
        return Err(format!("{} is no object below s3.root", path.display()));
    }
    let mut bytes = Vec::new();
    let file = File::open(&found).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{}: more than {bytes_max} bytes", path.display()));
    }
    Ok(bytes)
}

fn path(root: &Path, name: &ObjectName) -> Option<PathBuf> {
    let (bucket, key) = name.uri.strip_prefix("s3://")?.split_once('/')?;
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\']);
    if !is_plain(bucket) || !key.split('/').all(is_plain) {
        return None;
    }
    let key = match &name.version {
        Some(version) if !is_plain(version) || version.contains('/') => return None,
        Some(version) => format!("{key}@{version}"),
        None => key.to_owned(),
    };
    Some(root.join(bucket).join(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(uri: &str, version: Option<&str>) -> ObjectName {
        ObjectName { uri: uri.to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn objects_are_read_from_below_the_root_only() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("s3");
        std::fs::create_dir_all(root.join("bucket/deep")).unwrap();
        std::fs::write(root.join("bucket/deep/trust.pem"), "one").unwrap();
        std::fs::write(root.join("bucket/deep/trust.pem@v2"), "two").unwrap();
        std::fs::write(root.join("bucket/long"), "four").unwrap();
        std::fs::write(directory.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(directory.path().join("secret"), root.join("bucket/link")).unwrap();
        let got = |uri: &str, version| read(Some(&root), &named(uri, version), 3).ok();
        assert_eq!(got("s3://bucket/deep/trust.pem", None).as_deref(), Some(&b"one"[..]));
        assert_eq!(got("s3://bucket/deep/trust.pem", Some("v2")).as_deref(), Some(&b"two"[..]));
        for (uri, version) in [
            ("s3://bucket/../../secret", None),
            ("s3://../secret", None),
            ("s3://bucket//etc/passwd", None),
            ("s3://bucket/link", None),
            ("s3://bucket/deep", None),
            ("s3://bucket/none", None),
            ("s3://bucket/long", None),
            ("s3://bucket", None),
            ("file:///etc/passwd", None),
            ("s3://bucket/deep/trust.pem", Some("../../x")),
        ] {
            assert_eq!(got(uri, version), None, "{uri}");
        }
        assert!(read(None, &named("s3://bucket/deep/trust.pem", None), 3).is_err());
    }
}
