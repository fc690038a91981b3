//! The disk over a folder. S3 is tested against a server, in `tests/s3.rs`.

use super::*;

fn open(folder: &Path) -> ObjectDisk {
    ObjectDisk::open(folder.to_str().unwrap(), &S3Options::default()).unwrap()
}

#[test]
fn a_url_names_a_folder_or_a_bucket() {
    assert_eq!(Place::parse("a/b"), Ok(Place::Folder("a/b".into())));
    assert_eq!(Place::parse("file:///a"), Ok(Place::Folder("/a".into())));
    let bucket = |name: &str, prefix: &str| {
        Ok(Place::Bucket { bucket: Bucket(name.to_owned()), prefix: prefix.to_owned() })
    };
    assert_eq!(Place::parse("s3://b"), bucket("b", ""));
    assert_eq!(Place::parse("s3://b/a/c/"), bucket("b", "a/c"));
    assert_eq!(Place::parse(""), Err(UrlError::Empty));
    assert_eq!(Place::parse("file://a"), Err(UrlError::Relative));
    assert_eq!(Place::parse("s3://"), Err(UrlError::NoBucket));
    assert_eq!(Place::parse("gs://b"), Err(UrlError::Scheme("gs".to_owned())));
}

#[test]
fn a_folder_keeps_objects() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/deep");
    let disk = open(&root);
    assert_eq!(disk.list("a%2F b.c/tron/x").unwrap(), []);
    disk.put("a%2Fb.c/tron/x1", vec![1; 3]).unwrap();
    disk.put("a%2Fb.c/tron/x1", vec![2; 4]).unwrap();
    disk.put("a%2Fb.c/tron/x2", Vec::new()).unwrap();
    disk.put("a%2Fb.c/tron/y", vec![3]).unwrap();
    disk.put("a%2Fb.c/tron/x/deeper", vec![3]).unwrap();
    let mut listed = disk.list("a%2Fb.c/tron/x").unwrap();
    listed.sort();
    assert_eq!(listed, [("a%2Fb.c/tron/x1".to_owned(), 4), ("a%2Fb.c/tron/x2".to_owned(), 0)]);
    assert_eq!(disk.get("a%2Fb.c/tron/x1").unwrap(), [2; 4]);
    assert!(root.join("a%2Fb.c/tron/x1").is_file(), "names are names of files");
    disk.delete("a%2Fb.c/tron/x1").unwrap();
    assert!(disk.get("a%2Fb.c/tron/x1").unwrap_err().is_not_found());
    assert!(disk.delete("a%2Fb.c/tron/x1").unwrap_err().is_not_found());
}

#[test]
fn what_is_half_written_is_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    disk.put("g/a", vec![1]).unwrap();
    std::fs::write(folder.path().join("g/b#1"), "half").unwrap();
    assert_eq!(disk.list("g/").unwrap(), [("g/a".to_owned(), 1)]);
    // Nor does it stand in the way.
    disk.put("g/b", vec![2]).unwrap();
    assert_eq!(disk.get("g/b").unwrap(), [2]);
}

#[test]
fn a_folder_is_made_only_by_whoever_writes() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = ObjectDisk::open_existing(missing.to_str().unwrap(), &S3Options::default());
    assert!(error.unwrap_err().to_string().contains("there is no checkpoint folder"));
    assert!(!missing.exists());
    let url = format!("file://{}", missing.display());
    ObjectDisk::open(&url, &S3Options::default()).unwrap();
    assert!(missing.is_dir());
}

#[test]
fn a_failure_names_object_place_cause_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    // A file stands where a folder should be, whoever runs the test.
    std::fs::write(folder.path().join("g"), "").unwrap();
    let error = disk.put("g/a", vec![1]).unwrap_err().to_string();
    let place = folder.path().to_str().unwrap();
    assert!(error.starts_with(&format!("cannot write g/a in {place}: ")), "{error}");
    assert!(error.contains("os error") && error.ends_with("read and write there)"), "{error}");
}
