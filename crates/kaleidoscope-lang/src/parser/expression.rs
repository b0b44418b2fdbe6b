//! Expressions, by precedence climbing.
//!
//! Left-associative chains are a loop, so a million terms need no stack. Everything that nests
//! passes through [`Parser::nested`], which counts levels and grows the stack, so no text makes
//! the stack overflow.

use super::missing::InfixAtHand;
use super::{MAX_NESTING, MAX_PARAMETERS, Parsed, Parser};
use crate::conventions::PRECEDENCE_IN_NOT;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::operator::Sign;
use crate::source::Span;
use crate::syntax::{Binding, For, Node, NodeId};
use crate::token::{Keyword, TokenKind};

/// The number of levels between two checks of the stack. The first level has no check: it would
/// take as long as parsing a small program.
const LEVELS_BETWEEN_LOOKS: u32 = 8;
/// The bytes of stack that a check guarantees: several times what the levels up to the next check
/// need in a debug build.
const STACK_PER_LOOK: usize = LEVELS_BETWEEN_LOOKS as usize * (64 << 10);
/// The size of a new stack segment, in bytes, when the current one is exhausted.
const STACK_PIECE: usize = 2 << 20;

/// What to write, where a person from another language wrote something else.
const FORM_OF_IF: &str = "a choice is `if condition then value else value`";
const FORM_OF_FOR: &str = "a loop is `for i = start, condition, step in body`";
const FORM_OF_VAR: &str = "a variable is in scope behind `in`: `var x = 5 in x + 1`";

/// The mistake with the form of the expression as its hint, unless it has one.
#[cold]
fn of_form(mut mistake: Box<Diagnostic>, form: &str) -> Box<Diagnostic> {
    mistake.hint.get_or_insert_with(|| form.to_owned());
    mistake
}

impl Parser<'_> {
    /// `expr`
    pub(super) fn expect_expression(&mut self) -> Parsed<NodeId> {
        self.nested(|parser| {
            let start = parser.token.span;
            let left = parser.expect_operand()?;
            parser.expect_rest(start, left, 0)
        })
    }

    /// Parses the operators of at least `min_precedence` behind `left`, which begins at `start`,
    /// with their right operands.
    fn expect_rest(&mut self, start: Span, mut left: NodeId, min_precedence: u8) -> Parsed<NodeId> {
        while let Some(operator) = self.infix_at_hand()
            && operator.precedence >= min_precedence
        {
            self.take_infix(operator);
            let right = self.expect_right_operand(operator)?;
            left = self.add_binary(start, operator, left, right)?;
        }
        Ok(left)
    }

    /// Parses an operand, and everything behind it that binds tighter than the operator before it.
    fn expect_right_operand(&mut self, operator: InfixAtHand) -> Parsed<NodeId> {
        let InfixAtHand { sign, precedence, .. } = operator;
        let min_precedence = if sign.is_right_associative() { precedence } else { precedence + 1 };
        let start = self.token.span;
        let right = self.expect_operand()?;
        match self.infix_at_hand() {
            Some(next) if next.precedence >= min_precedence => {
                self.nested(|parser| parser.expect_rest(start, right, min_precedence))
            }
            _ => Ok(right),
        }
    }

    /// `operand`
    fn expect_operand(&mut self) -> Parsed<NodeId> {
        match self.token.kind {
            TokenKind::Operators => {}
            TokenKind::Keyword(Keyword::Not) => return self.expect_not(),
            _ => return self.expect_primary(),
        }
        let start = self.token.span;
        let Some(sign) = self.names.operators().longest_prefix(self.lexer.slice(start)) else {
            self.take_missing_prefix();
            return self.nested(Self::expect_operand);
        };
        self.take_sign(sign);
        let operand = self.nested(|parser| {
            let start = parser.token.span;
            let operand = parser.expect_operand()?;
            // Only `^` binds tighter than a prefix operator: -2^2 is -(2^2).
            match parser.infix_at_hand() {
                Some(power) if power.sign == Sign::POWER => {
                    parser.take_infix(power);
                    let right = parser.expect_right_operand(power)?;
                    parser.add_binary(start, power, operand, right)
                }
                _ => Ok(operand),
            }
        })?;
        self.add(Node::Prefix { sign, operand }, self.span_from(start))
    }

    /// `not`, which has a lower precedence than comparisons, with its operand.
    fn expect_not(&mut self) -> Parsed<NodeId> {
        let start = self.take();
        let operand = self.nested(|parser| {
            let start = parser.token.span;
            let left = parser.expect_operand()?;
            parser.expect_rest(start, left, PRECEDENCE_IN_NOT)
        })?;
        if self.names.operators().prefix(Sign::NOT).is_none() {
            self.report_missing_not(start);
            return Ok(operand);
        }
        self.add(Node::Prefix { sign: Sign::NOT, operand }, self.span_from(start))
    }

    /// `primary`
    fn expect_primary(&mut self) -> Parsed<NodeId> {
        let start = self.token.span;
        match self.token.kind {
            TokenKind::Number => {
                let value = self.literal(start);
                self.take();
                self.add(Node::Number(value), start)
            }
            TokenKind::Identifier => {
                let name = self.take_name();
                if self.token.kind == TokenKind::OpenParenthesis {
                    let first = self.open_arguments.len();
                    self.expect_arguments()?;
                    // Each argument checks the size of the item.
                    let span = self.span_from(start);
                    let node = self.tree.add_call(name, &self.open_arguments[first..], span);
                    self.open_arguments.truncate(first);
                    return Ok(node);
                }
                self.add(Node::Variable(name), start)
            }
            TokenKind::OpenParenthesis => {
                self.take();
                let inner = self.expect_expression()?;
                self.expect(TokenKind::CloseParenthesis, "an operator or `)`")?;
                Ok(inner)
            }
            TokenKind::Keyword(Keyword::If) => self.expect_if(start),
            TokenKind::Keyword(Keyword::For) => self.expect_for(start),
            TokenKind::Keyword(Keyword::Var) => self.expect_var(start),
            TokenKind::Keyword(Keyword::While) => self.expect_while(start),
            _ => Err(self.mismatch(DiagnosticCode::ExpectedExpression, "an expression")),
        }
    }

    /// `'(' [ expr { ',' expr } ] ')'`, stored in `open_arguments`.
    fn expect_arguments(&mut self) -> Parsed<()> {
        let first = self.open_arguments.len();
        self.take();
        if self.token.kind != TokenKind::CloseParenthesis {
            loop {
                if self.open_arguments.len() - first == MAX_PARAMETERS {
                    return Err(self.too_many_parameters("arguments"));
                }
                let argument = self.expect_expression()?;
                self.open_arguments.push(argument);
                if self.token.kind != TokenKind::Comma {
                    break;
                }
                self.take();
            }
        }
        self.expect(TokenKind::CloseParenthesis, "an operator, `,` or `)`")?;
        Ok(())
    }

    /// `'if' expr 'then' expr 'else' expr`
    fn expect_if(&mut self, start: Span) -> Parsed<NodeId> {
        self.take();
        let condition = self.expect_expression()?;
        self.expect_keyword(Keyword::Then).map_err(|mistake| of_form(mistake, FORM_OF_IF))?;
        let then = self.expect_expression()?;
        self.expect_keyword(Keyword::Else).map_err(|mistake| of_form(mistake, FORM_OF_IF))?;
        let otherwise = self.expect_expression()?;
        self.add(Node::If { condition, then, otherwise }, self.span_from(start))
    }

    /// `'while' expr 'in' expr`
    fn expect_while(&mut self, start: Span) -> Parsed<NodeId> {
        self.take();
        let condition = self.expect_expression()?;
        self.expect_keyword(Keyword::In)?;
        let body = self.expect_expression()?;
        self.add(Node::While { condition, body }, self.span_from(start))
    }

    /// `'for' Ident [ '=' expr ] ',' expr [ ',' expr ] 'in' expr`
    fn expect_for(&mut self, start: Span) -> Parsed<NodeId> {
        self.take();
        let of_form = |mistake| of_form(mistake, FORM_OF_FOR);
        let (variable, _) = self.expect_name("the name of the loop's variable").map_err(of_form)?;
        let initial = self.parse_initial()?;
        self.expect(TokenKind::Comma, "`,` and the loop's condition").map_err(of_form)?;
        let condition = self.expect_expression()?;
        let step = match self.token.kind {
            TokenKind::Comma => {
                self.take();
                Some(self.expect_expression()?)
            }
            _ => None,
        };
        self.expect_keyword(Keyword::In).map_err(of_form)?;
        let body = self.expect_expression()?;
        let parts = For { variable, start: initial, condition, step, body };
        Ok(self.tree.add_for(parts, self.span_from(start)))
    }

    /// `'var' Ident [ '=' expr ] { ',' Ident [ '=' expr ] } 'in' expr`
    fn expect_var(&mut self, start: Span) -> Parsed<NodeId> {
        self.take();
        let first = self.open_bindings.len();
        loop {
            let (name, _) = self.expect_name("the name of a variable")?;
            let initial = self.parse_initial()?;
            self.open_bindings.push(Binding { name, initial });
            if self.open_bindings.len() >= super::MAX_OPERATIONS {
                return Err(self.too_large());
            }
            if self.token.kind != TokenKind::Comma {
                break;
            }
            self.take();
        }
        self.expect_keyword(Keyword::In).map_err(|mistake| of_form(mistake, FORM_OF_VAR))?;
        let body = self.expect_expression()?;
        let span = self.span_from(start);
        let node = self.tree.add_var(&self.open_bindings[first..], body, span);
        self.open_bindings.truncate(first);
        Ok(node)
    }

    /// `[ '=' expr ]`. The `=` is not an operator here, so it ends the run: in `a=-1` too.
    fn parse_initial(&mut self) -> Parsed<Option<NodeId>> {
        if self.token.kind != TokenKind::Operators || !self.lexer.slice(self.token.span).starts_with('=') {
            return Ok(None);
        }
        self.take_sign(Sign::ASSIGN);
        Ok(Some(self.expect_expression()?))
    }

    fn add_binary(
        &mut self,
        start: Span,
        operator: InfixAtHand,
        left: NodeId,
        right: NodeId,
    ) -> Parsed<NodeId> {
        let InfixAtHand { sign, precedence, .. } = operator;
        self.add(Node::Binary { sign, precedence, left, right }, self.span_from(start))
    }

    /// Parses one level deeper, unless that is too deep.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_NESTING {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let result = match self.depth % LEVELS_BETWEEN_LOOKS {
            0 => stacker::maybe_grow(STACK_PER_LOOK, STACK_PIECE, || read(self)),
            _ => read(self),
        };
        self.depth -= 1;
        result
    }

    #[cold]
    fn too_deep(&self) -> Box<Diagnostic> {
        let message = format!("the expression is nested too deep: more than {MAX_NESTING} levels");
        Box::new(Diagnostic::error(DiagnosticCode::NestingTooDeep, self.token.span, message))
    }
}
