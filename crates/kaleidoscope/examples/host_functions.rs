//! Host functions and host variables: a program calls closures, and shares variables with the host.
//!
//! Run by `cargo run -p kaleidoscope --example host_functions`.

use kaleidoscope::{CallError, DiagnosticCode, Engine, Variable};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The error for a sensor that does not exist.
#[derive(Debug)]
struct UnknownSensor(f64);

impl fmt::Display for UnknownSensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no sensor {}", self.0)
    }
}

impl Error for UnknownSensor {}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new()?;
    engine.prelude()?;

    // A closure may have state, and may fail with an error of its own type.
    let sensors = Arc::new(Mutex::new(HashMap::from([(1, 20.5), (2, 23.0)])));
    let readings = Arc::clone(&sensors);
    engine.register("sensor", move |number: f64| {
        let readings = readings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        readings.get(&(number as i64)).copied().ok_or(UnknownSensor(number))
    })?;

    // Program and host read and assign the variable without calls.
    let target = Variable::new(22.0);
    engine.bind("target", &target)?;

    engine.run("def warming(number) if sensor(number) < target then target - sensor(number) else 0;").ok()?;
    let warming = engine.function::<(f64,)>("warming")?;
    assert_eq!((warming.call((1.0,))?, warming.call((2.0,))?), (1.5, 0.0));

    target.set(25.0);
    sensors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(2, 24.75);
    assert_eq!((warming.call((1.0,))?, warming.call((2.0,))?), (4.5, 0.25));
    engine.run("target = target - 1;").ok()?;
    assert_eq!(target.get(), 24.0);

    // The error of the closure reaches the caller.
    let error: CallError = warming.call((7.0,)).expect_err("there is no such sensor");
    println!("{error}");
    assert_eq!(error.code(), DiagnosticCode::HostError);
    let own: Option<&UnknownSensor> = error.source().and_then(<dyn Error>::downcast_ref);
    assert!(own.is_some_and(|sensor| sensor.0 == 7.0));

    // A host function may call the engine. This one owns a handle, so it is removed at the end.
    let again = engine.clone();
    engine.register("half_of_warming", move |number: f64| {
        again
            .dyn_function("warming")?
            .call(&[number])
            .map(|warming| warming / 2.0)
            .map_err(Box::<dyn Error + Send + Sync>::from)
    })?;
    println!("{:?}", engine.run("half_of_warming(1);").values().collect::<Vec<_>>());
    engine.remove("half_of_warming")?;
    Ok(())
}
