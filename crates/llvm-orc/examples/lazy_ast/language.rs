//! A language with one function per line: `name parameters = expression`, with numbers, parameters,
//! `+`, `-`, `*`, calls and parentheses. Parses lines to syntax trees, and lowers trees to IR on
//! demand.

use std::iter::Peekable;
use std::str::SplitWhitespace;

use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::FunctionType;
use inkwell::values::FloatValue;

/// One function as a syntax tree.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    parameters: Vec<String>,
    body: Expression,
}

#[derive(Debug)]
enum Expression {
    Number(f64),
    Parameter(String),
    Operation(Box<Expression>, String, Box<Expression>),
    Call(String, Vec<Expression>),
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

impl Definition {
    /// Parses a line. Spaces must separate all tokens, which keeps the parser short.
    pub(crate) fn parse(line: &str) -> Option<Definition> {
        let (head, expression) = line.split_once(" = ")?;
        let mut head = head.split_whitespace().map(str::to_owned);
        let name = head.next()?;
        let parameters: Vec<_> = head.collect();
        let mut words = expression.split_whitespace().peekable();
        let body = sum(&mut words, &parameters)?;
        words.next().is_none().then_some(Definition { name, parameters, body })
    }

    /// A module with this function under the linker name `symbol`. It calls other functions by
    /// their own names, which are those of their stubs.
    pub(crate) fn lower<'cx>(
        &self,
        context: &'cx Context,
        symbol: &str,
    ) -> Result<Module<'cx>, BuilderError> {
        let module = context.create_module(&self.name);
        let function = module.add_function(symbol, signature(context, self.parameters.len()), None);
        let builder = context.create_builder();
        builder.position_at_end(context.append_basic_block(function, "entry"));
        let arguments: Vec<_> = function.get_param_iter().map(|value| value.into_float_value()).collect();
        let value = Lowering { context, module: &module, builder: &builder, definition: self, arguments }
            .expression(&self.body)?;
        builder.build_return(Some(&value))?;
        Ok(module)
    }
}

fn signature(context: &Context, arity: usize) -> FunctionType<'_> {
    let f64 = context.f64_type();
    f64.fn_type(&vec![f64.into(); arity], false)
}

struct Lowering<'a, 'cx> {
    context: &'cx Context,
    module: &'a Module<'cx>,
    builder: &'a Builder<'cx>,
    definition: &'a Definition,
    arguments: Vec<FloatValue<'cx>>,
}

impl<'cx> Lowering<'_, 'cx> {
    fn expression(&self, expression: &Expression) -> Result<FloatValue<'cx>, BuilderError> {
        match expression {
            Expression::Number(number) => Ok(self.context.f64_type().const_float(*number)),
            Expression::Parameter(name) => {
                let idx = self.definition.parameters.iter().position(|parameter| parameter == name);
                Ok(self.arguments[idx.expect("the parser knows the parameters")])
            }
            Expression::Operation(left, sign, right) => {
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                match sign.as_str() {
                    "+" => self.builder.build_float_add(left, right, "sum"),
                    "-" => self.builder.build_float_sub(left, right, "difference"),
                    _ => self.builder.build_float_mul(left, right, "product"),
                }
            }
            Expression::Call(name, arguments) => {
                let declared = self.module.get_function(name).unwrap_or_else(|| {
                    self.module.add_function(name, signature(self.context, arguments.len()), None)
                });
                let arguments = arguments
                    .iter()
                    .map(|argument| Ok(self.expression(argument)?.into()))
                    .collect::<Result<Vec<_>, BuilderError>>()?;
                let call = self.builder.build_call(declared, &arguments, "call")?;
                Ok(call.try_as_basic_value().unwrap_basic().into_float_value())
            }
        }
    }
}

fn sum(words: &mut Words<'_>, parameters: &[String]) -> Option<Expression> {
    let mut left = product(words, parameters)?;
    while let Some(sign) = words.next_if(|word| matches!(*word, "+" | "-")) {
        left = Expression::Operation(Box::new(left), sign.to_owned(), Box::new(product(words, parameters)?));
    }
    Some(left)
}

fn product(words: &mut Words<'_>, parameters: &[String]) -> Option<Expression> {
    let mut left = operand(words, parameters)?;
    while let Some(sign) = words.next_if_eq(&"*") {
        left = Expression::Operation(Box::new(left), sign.to_owned(), Box::new(operand(words, parameters)?));
    }
    Some(left)
}

fn operand(words: &mut Words<'_>, parameters: &[String]) -> Option<Expression> {
    let word = words.next()?;
    if let Ok(number) = word.parse() {
        return Some(Expression::Number(number));
    }
    if word == "(" {
        let inner = sum(words, parameters)?;
        return words.next_if_eq(&")").map(|_| inner);
    }
    if parameters.iter().any(|parameter| parameter == word) {
        return Some(Expression::Parameter(word.to_owned()));
    }
    words.next_if_eq(&"(")?;
    let mut arguments = Vec::new();
    while words.next_if_eq(&")").is_none() {
        arguments.push(sum(words, parameters)?);
        words.next_if_eq(&",");
    }
    Some(Expression::Call(word.to_owned(), arguments))
}
