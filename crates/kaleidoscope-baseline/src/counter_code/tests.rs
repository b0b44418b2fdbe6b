//! Names of counter code.

use super::CounterCode;

#[test]
fn a_name_leads_back_to_its_counter_code() {
    for code in [CounterCode::SelfTailCall, CounterCode::BackEdge(0), CounterCode::BackEdge(7)] {
        assert_eq!(CounterCode::of_name(&code.name()), code);
    }
}
