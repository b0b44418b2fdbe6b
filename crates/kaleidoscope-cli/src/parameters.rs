//! Parameters of scripts: `--arg x=3`, and numbers behind `--`, as host variables.

use crate::input::Input;
use crate::refusal::Refusal;
use clap::Args;
use kaleidoscope::lang::is_name;
use kaleidoscope::{Engine, Variable};
use std::str::FromStr;

/// The numbers that the command line gives to the program.
#[derive(Args, Clone, Debug)]
pub(crate) struct Parameters {
    /// Give the program a host variable (may be given several times)
    #[arg(long = "arg", value_name = "NAME=NUMBER")]
    named: Vec<Parameter>,

    /// Numbers for the program: the host variables arg1, arg2 and so on, and n_args
    #[arg(last = true, value_name = "NUMBER")]
    numbers: Vec<f64>,
}

/// Why an input cannot be read, with a hint if its name is a number.
pub(crate) fn with_hint_at_numbers(mut refusal: Refusal, input: &Input) -> Refusal {
    if input.name().parse::<f64>().is_ok() {
        refusal.message.push_str("; numbers for the program follow `--`");
    }
    refusal
}

/// A host variable with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: f64,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
        if !is_name(name) {
            return Err(format!("`{name}` is not a name"));
        }
        let value = value.parse().map_err(|_| format!("`{value}` is not a number"))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Parameters {
    /// Binds the host variables.
    ///
    /// # Errors
    /// A name is a keyword of the prelude, or the engine cannot be used.
    pub(crate) fn bind(&self, engine: &Engine) -> Result<(), Refusal> {
        let bind = |name: &str, value| {
            engine.bind(name, &Variable::new(value)).map_err(|error| Refusal::usage(error.to_string()))
        };
        for parameter in &self.named {
            bind(&parameter.name, parameter.value)?;
        }
        for (index, &number) in self.numbers.iter().enumerate() {
            bind(&format!("arg{}", index + 1), number)?;
        }
        bind("n_args", self.numbers.len() as f64)
    }
}
