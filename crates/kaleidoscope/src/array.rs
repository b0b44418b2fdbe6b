//! Binding arrays of the host: the names by which programs read and assign their elements.

use crate::builder::Builder;
use crate::{Engine, Error};
use kaleidoscope_jit::Array;
use kaleidoscope_lang::is_name;

impl Engine {
    /// Binds an array of the host to a name: in programs, `u(i)` is an element, and `u(i) = v`
    /// assigns one. The value of an assignment is `v`; first `i` is evaluated, then `v`, and then
    /// the element is assigned. The index is truncated toward zero. An index that is NaN or out of
    /// range ends the evaluation with
    /// [`DiagnosticCode::IndexOutOfRange`](crate::DiagnosticCode::IndexOutOfRange).
    ///
    /// Bind arrays before the text that uses them is read: in a definition that was read before,
    /// `u(i)` stays a call of a function `u`. A name keeps its array as long as the engine exists,
    /// and the engine keeps the array. To give programs other elements, assign them:
    /// [`Array::copy_from`]. Binding the same array again changes nothing.
    ///
    /// Functions and arrays share one name space; variables have their own.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the name is not an identifier
    ///   of the language.
    /// - [`ErrorKind::NameInUse`](crate::ErrorKind::NameInUse) if a function has the name, of the
    ///   program, the host or the maths library, or another array.
    ///
    /// ```
    /// use kaleidoscope::{Array, Engine};
    ///
    /// let engine = Engine::new()?;
    /// let u = Array::from_slice(&[1.0, 10.0, 100.0]);
    /// engine.bind_array("u", &u)?;
    /// engine.run("def sum(n) var s in (for i = 0, i < n - 1 in s = s + u(i)) + s;").ok()?;
    /// let outcome = engine.run("sum(3); u(1) = 5; sum(3);");
    /// assert_eq!(outcome.values().collect::<Vec<_>>(), [111.0, 5.0, 106.0]);
    /// assert_eq!(u.to_vec(), [1.0, 5.0, 100.0]);
    ///
    /// let error = engine.function::<(f64,)>("sum")?.call((4.0,)).unwrap_err();
    /// assert_eq!(error.to_string(), "index out of range in `sum` (text:1): `u` has 3 elements, the index is 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bind_array(&self, name: &str, array: &Array) -> Result<(), Error> {
        if !is_name(name) {
            return Err(Error::invalid_name(name));
        }
        self.admit()?;
        let mut program = self.shared.program();
        if program.names.is_keyword(name) {
            return Err(Error::invalid_name(name));
        }
        if program.names.current(name).is_some() {
            return Err(Error::name_of_function(name));
        }
        match program.names.array(name) {
            Some(id) if self.jit.array(id).is_same(array) => {}
            Some(_) => return Err(Error::name_of_array(name, "other array")),
            None => {
                let id = program.names.add_array(name);
                let bound = self.jit.bind_array(name, array);
                assert_eq!(bound, id, "names and engine give arrays the same ids");
            }
        }
        Ok(())
    }

    /// The array of which programs use the elements by this name, if one was
    /// [bound](Self::bind_array).
    ///
    /// ```
    /// use kaleidoscope::{Array, Engine};
    ///
    /// let engine = Engine::builder().bind_array("u", &Array::new(2)).build()?;
    /// engine.run("u(1) = 7;").ok()?;
    /// assert_eq!(engine.array("u").map(|u| u.to_vec()), Some(vec![0.0, 7.0]));
    /// assert!(engine.array("v").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn array(&self, name: &str) -> Option<Array> {
        let id = self.shared.program().names.array(name)?;
        Some(self.jit.array(id))
    }
}

impl Builder {
    /// Binds an array of the host to a name, as [`Engine::bind_array`] does. [`Self::build`]
    /// reports its errors.
    ///
    /// ```
    /// use kaleidoscope::{Array, Engine};
    ///
    /// let squares = Array::from_slice(&[0.0, 1.0, 4.0, 9.0]);
    /// let engine = Engine::builder().bind_array("squares", &squares).build()?;
    /// assert_eq!(engine.run("squares(3);").values().next(), Some(9.0));
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    #[must_use]
    pub fn bind_array(mut self, name: &str, array: &Array) -> Self {
        self.arrays.push((name.to_owned(), array.clone()));
        self
    }
}
