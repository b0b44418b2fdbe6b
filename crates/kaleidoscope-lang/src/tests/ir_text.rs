//! The text form of a function that is read from text, with the names of its callees and host
//! variables.

use crate::item::Item;
use crate::names::Names;
use crate::reader::Reader;
use kaleidoscope_ir::text::WithNames;

#[test]
fn every_operation_has_a_text_form() {
    let mut reader = Reader::new("test");
    reader.push(
        "def f(x) if x < 1 then sqrt(x) else var x = x^2 in (for i = 1, i < x in x = x - 1) + f(x + (t = t) + (u(x) = u(2)))",
    );
    reader.finish();
    let mut names = Names::new();
    names.add_variable("t");
    names.add_array("u");
    let Some(Item::Definition { function, .. }) = reader.read(&names).and_then(|read| read.item) else {
        panic!("it is a definition");
    };
    let expected = "\
function f(x.0), locals x.1 i.2, stack 4
    0  get x.0
    1  number 1
    2  less
    3  if (else 6)
    4    get x.0
    5    call sqrt#15/1
    6  else (end 37)
    7    get x.0
    8    square
    9    set x.1
   10    drop
   11    number 1
   12    set i.2
   13    drop
   14    loop
   15      get x.1
   16      number 1
   17      subtract
   18      set x.1
   19      drop
   20      number 1
   21      get i.2
   22      get x.1
   23      less
   24    next i.2 (loop 14)
   25    number 0
   26    get x.1
   27    get_host t#0
   28    set_host t#0
   29    add
   30    get x.1
   31    number 2
   32    get_element u#0
   33    set_element u#0
   34    add
   35    call #36/1
   36    add
   37  end
";
    assert_eq!(WithNames::new(&function, &names).to_string(), expected);
    assert_eq!(expected.parse(), Ok((*function).clone()));
}
