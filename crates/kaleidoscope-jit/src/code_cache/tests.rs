//! Entries, folders and eviction, without a code generator.

use super::entry::{decode, encode};
use super::eviction::chosen;
use super::folder::Listed;
use super::{CacheTotals, CodeCache, EntryKind, file_name};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn a_damaged_file_is_no_entry() {
    let file = encode(b"key", b"content");
    assert_eq!(decode(&file, b"key"), Some(&b"content"[..]));
    assert_eq!(decode(&file, b"kex"), None, "an entry of another key");
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode(&damaged, b"key"), None, "bit {bit}");
    }
    for len in 0..file.len() {
        assert_eq!(decode(&file[..len], b"key"), None, "{len} bytes");
    }
    assert_eq!(decode(&[&file[..], b"x"].concat(), b"key"), None);
    // Lengths that no file has, with a true checksum.
    let mut huge = b"kalcode1".to_vec();
    huge.extend(u64::MAX.to_le_bytes());
    let sum = super::checksum(&huge);
    huge.extend(sum.to_le_bytes());
    assert_eq!(decode(&huge, b"key"), None);
}

#[test]
fn entries_are_found_by_their_whole_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let cache = CodeCache::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let read = |key| CodeCache::open(&path).unwrap().read(EntryKind::Code, key);
    assert_eq!(read(b"k"), None);
    cache.write(EntryKind::Code, b"k", b"first");
    cache.write(EntryKind::Code, b"k", b"second");
    assert_eq!(read(b"k"), Some(b"second".to_vec()));
    // Another key whose file has this name.
    fs::write(path.join(file_name(EntryKind::Code, b"k")), encode(b"other", b"foreign")).unwrap();
    assert_eq!(read(b"k"), None);
    let totals = cache.totals();
    assert_eq!((totals.written, totals.failed), (2, 0));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn what_is_no_file_of_the_user_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::open(folder.path()).unwrap();
    let name = |key| folder.path().join(file_name(EntryKind::Code, key));
    fs::create_dir(name(b"folder")).unwrap();
    fs::write(folder.path().join("elsewhere"), encode(b"link", b"content")).unwrap();
    symlink("elsewhere", name(b"link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, name(b"pipe"), rustix::fs::Mode::RUSR).unwrap();
    fs::write(name(b"open"), encode(b"open", b"content")).unwrap();
    fs::set_permissions(name(b"open"), PermissionsExt::from_mode(0o666)).unwrap();
    for key in [&b"folder"[..], b"link", b"pipe", b"open"] {
        assert_eq!(cache.read(EntryKind::Code, key), None, "{key:?}");
    }
    // A folder cannot be replaced by a file.
    cache.write(EntryKind::Code, b"folder", b"content");
    assert_eq!(cache.totals().failed, 1);
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o720, 0o702] {
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        let error = CodeCache::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("other users can write to the folder {}", folder.path().display()));
    }
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    CodeCache::open(folder.path()).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = CodeCache::open(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the folder {} cannot be", path.display())), "{error}");
    }
    if rustix::process::geteuid().is_root() {
        rustix::fs::chown(folder.path(), Some(rustix::process::Uid::from_raw(12345)), None).unwrap();
        let error = CodeCache::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("the folder {} belongs to another user", folder.path().display()));
    }
}

#[test]
fn a_program_without_a_build_id_has_no_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    let error = CodeCache::open_for_engine(&path, 1 << 20, None).unwrap_err().to_string();
    assert_eq!(error, "this program has no build id, which its linker writes with -Wl,--build-id");
    assert!(!path.exists());
    let cache = CodeCache::open(&path).unwrap();
    cache.shared.obstacle.set("a part of the compiler has none".to_owned()).unwrap();
    for kind in [EntryKind::Code, EntryKind::HotCode] {
        cache.write(kind, b"key", b"content");
    }
    assert_eq!((fs::read_dir(&path).unwrap().count(), cache.totals()), (0, CacheTotals::default()));
}

/// Of many processes that write a hundredth of a sixteenth of the limit, few look at all files, but
/// some do.
#[test]
fn few_processes_look_at_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let max_bytes = 1_600_000;
    let abandoned = folder.path().join("a.code-1-1.new");
    let (n_processes, mut n_looked) = (2_000, 0);
    for _ in 0..n_processes {
        if !abandoned.exists() {
            let file = fs::File::create(&abandoned).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let cache = CodeCache::open_with_limit(folder.path(), max_bytes).unwrap();
        cache.write(EntryKind::Code, b"key", &[0; 950]);
        n_looked += usize::from(!abandoned.exists());
    }
    // About 20 are expected. One of 100 million runs has none.
    assert!((1..80).contains(&n_looked), "{n_looked} of {n_processes}");
}

#[test]
fn the_files_that_are_not_used_go_first() {
    let file = |name: &str, used, n_bytes| Listed { used: (used, 0), name: name.to_owned(), n_bytes };
    let files = vec![file("b.code", 20, 40), file("a.code", 10, 30), file("c.code", 30, 50)];
    assert!(chosen(files.clone(), 120, 0).is_empty());
    assert_eq!(chosen(files.clone(), 119, 0), ["a.code", "b.code"]);
    assert_eq!(chosen(files, 0, 0), ["a.code", "b.code", "c.code"]);
    // Temporary files do not count, and go when their writers are gone.
    let files = vec![file("a.code-1-1.new", 100, 500), file("a.code-2-1.new", 10_000, 500)];
    assert_eq!(chosen(files, 100, 10_000), ["a.code-1-1.new"]);
}

#[test]
fn the_size_limit_holds() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::open_with_limit(folder.path(), 10_000).unwrap();
    for nth in 0..100_u32 {
        cache.write(EntryKind::Code, &nth.to_ne_bytes(), &[7; 1000]);
    }
    let sizes = || fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let n_bytes: u64 = sizes().sum();
    assert!((5_000..=11_200).contains(&n_bytes), "{n_bytes} bytes are left");
    cache.write(EntryKind::Code, b"large", &[0; 10_000]);
    assert_eq!(cache.totals().failed, 1, "an entry larger than the limit");
}
