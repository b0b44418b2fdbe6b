//! A file of this machine, whole and cut off.

use super::check;
use std::fs;

#[test]
fn a_file_that_was_cut_off_is_noticed_wherever_that_was() {
    let folder = std::env::temp_dir().join(format!("kaleidoscope-plugin-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    // The executable of this test has the same format.
    let whole = std::env::current_exe().unwrap();
    check(&whole).unwrap();
    let n_bytes = fs::metadata(&whole).unwrap().len();
    let bytes = fs::read(&whole).unwrap();
    let path = folder.join("cut");
    for n_left in [0, 3, 64, 1000, n_bytes / 2, n_bytes - 1] {
        fs::write(&path, &bytes[..n_left as usize]).unwrap();
        let error = check(&path).unwrap_err();
        let expected = if n_left < 1000 { "it is no shared object" } else { "it is cut off: " };
        assert!(error.starts_with(expected), "{n_left} bytes: {error}");
    }
    fs::write(&path, "no library").unwrap();
    assert_eq!(check(&path).unwrap_err(), "it is no shared object");
    fs::remove_dir_all(&folder).unwrap();
    assert!(check(&path).unwrap_err().contains("No such file"));
}
