//! The modules of a crate use each other in one direction.
//!
//! The graph has an edge from a module to each module whose items its paths name. Paths are
//! followed through `use` declarations, so that re-exports hide nothing. Edges between a module and
//! those around or inside it are left out, as are tests. The graph may have no cycle.
//!
//! [`tree`] reads the modules of a crate; this file finds the cycles.

mod tree;

use std::collections::{BTreeMap, BTreeSet};

use super::{Complaint, Source};
use tree::{Crate, Edge};

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let roots = sources.iter().filter(|source| {
        (source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs"))
            && !source.path.starts_with("fuzz/")
    });
    roots.flat_map(|root| check_crate(sources, root)).collect()
}

/// One complaint for each edge of each cycle.
fn check_crate(sources: &[Source], root: &Source) -> Vec<Complaint> {
    let tree = Crate::read(sources, root);
    let edges: Vec<Edge> = tree.edges();
    let mut successors: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for edge in &edges {
        successors.entry(edge.from).or_default().insert(edge.to);
    }
    let reachable: BTreeMap<usize, BTreeSet<usize>> =
        successors.keys().map(|from| (*from, reach(&successors, *from))).collect();
    let is_reachable = |from, to| reachable.get(&from).is_some_and(|all| all.contains(&to));

    let mut complaints = Vec::new();
    for edge in edges.iter().filter(|edge| is_reachable(edge.to, edge.from)) {
        let n_others = reachable[&edge.from].iter().filter(|other| is_reachable(**other, edge.from)).count();
        let message = format!(
            "`{}` uses `{}`, in a cycle of {n_others} modules",
            tree.name(edge.from),
            tree.name(edge.to)
        );
        complaints.push(Complaint { path: edge.path.clone(), line: edge.line, message });
    }
    complaints
}

/// All that can be reached from a module by one edge or more.
fn reach(successors: &BTreeMap<usize, BTreeSet<usize>>, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(module) = waiting.pop() {
        for next in successors.get(&module).into_iter().flatten() {
            if reached.insert(*next) {
                waiting.push(*next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests;
