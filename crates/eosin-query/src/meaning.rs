// SPDX-License-Identifier: MIT OR Apache-2.0

//! Refuses what polars would parse and then leave out, and what would take it forever.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArguments, Query, Select, SetExpr,
    TableFactor, Visit, Visitor, WindowType,
};

/// Steps that a condition or query may take for each row.
const MAX_STEPS: u64 = 100_000;
/// Levels of an expression. polars works expressions out on threads of its own, whose stacks of
/// 2 MiB were seen to overflow from 160 levels on without optimisation.
const MAX_LEVELS: usize = 80;

/// Walks over a text that was parsed.
#[derive(Default)]
pub(crate) struct Meaning {
    /// Queries that are open.
    depth: usize,
    /// Levels of the expressions that are open.
    levels: usize,
    /// Steps of the expressions in each open expression.
    steps: Vec<Vec<u64>>,
}

impl Meaning {
    /// What polars would not do as it is written, if there is any.
    pub(crate) fn check(parsed: &impl Visit) -> Result<(), String> {
        match parsed.visit(&mut Self::default()) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(what) => Err(what),
        }
    }

    /// Steps of an expression whose parts take `parts`.
    ///
    /// polars writes the operand of a BETWEEN twice and that of a CASE once for each WHEN, and
    /// arguments of functions up to three times, so that nesting multiplies.
    fn steps(expr: &Expr, parts: &[u64]) -> u64 {
        let sum = parts.iter().fold(1_u64, |sum, part| sum.saturating_add(*part));
        let first = parts.first().copied().unwrap_or(0);
        match expr {
            Expr::Between { .. } => sum.saturating_add(first),
            Expr::Case { operand: Some(_), conditions, .. } => {
                sum.saturating_add(first.saturating_mul(conditions.len() as u64))
            }
            Expr::Function(_) | Expr::Substring { .. } | Expr::Position { .. } => {
                sum.saturating_mul(3)
            }
            _ => sum,
        }
    }
}

impl Visitor for Meaning {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.depth += 1;
        let left_out = [
            (query.with.is_some() && self.depth > 1, "WITH inside of another query"),
            (query.fetch.is_some(), "FETCH; write LIMIT"),
            (!query.limit_by.is_empty(), "LIMIT BY"),
            (!query.locks.is_empty() || query.for_clause.is_some(), "FOR"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (
                query.order_by.is_some() && matches!(*query.body, SetExpr::SetOperation { .. }),
                "ORDER BY of a UNION; write SELECT * FROM (… UNION …) AS t ORDER BY …",
            ),
        ];
        refuse(&left_out)?;
        body(&query.body)
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<String> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        let TableFactor::Table { name, with_hints, version, partitions, json_path, .. } = table
        else {
            return ControlFlow::Continue(());
        };
        refuse(&[
            (name.0.len() != 1, "a table in a schema; tables have one name"),
            (
                !with_hints.is_empty()
                    || version.is_some()
                    || !partitions.is_empty()
                    || json_path.is_some(),
                "more than the name of a table",
            ),
        ])
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        self.steps.push(Vec::new());
        self.levels += levels(expr);
        if self.levels > MAX_LEVELS {
            return ControlFlow::Break(format!(
                "more than {MAX_LEVELS} levels of conditions in a row or in each other; write \
                 x IN (1, 2) for x = 1 OR x = 2, or part them: (… OR …) OR (… OR …)"
            ));
        }
        match expr {
            Expr::Ceil { field, .. } | Expr::Floor { field, .. } => refuse(&[(
                !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)),
                "CEIL or FLOOR to something; write ROUND(x, 2)",
            )]),
            Expr::Function(function) => refuse(&[
                (function.parameters != FunctionArguments::None, "parameters of a function"),
                (has_frame(function), "ROWS or RANGE of a window"),
            ]),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        self.levels -= levels(expr);
        let parts = self.steps.pop().unwrap_or_default();
        let steps = Self::steps(expr, &parts);
        if let Some(outer) = self.steps.last_mut() {
            outer.push(steps);
        }
        if steps > MAX_STEPS {
            return ControlFlow::Break(format!(
                "conditions or functions in each other, which take more than {MAX_STEPS} steps"
            ));
        }
        ControlFlow::Continue(())
    }
}

/// Levels that polars makes of an expression: each WHEN stands in the ELSE of the one before.
fn levels(expr: &Expr) -> usize {
    match expr {
        Expr::Case { conditions, .. } => conditions.len(),
        Expr::Between { .. } => 2,
        _ => 1,
    }
}

fn has_frame(function: &Function) -> bool {
    matches!(&function.over, Some(WindowType::WindowSpec(spec)) if spec.window_frame.is_some())
}

/// Clauses of SELECTs; queries in them are visited for themselves.
fn body(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::Select(select) => clauses(select),
        SetExpr::SetOperation { left, right, .. } => {
            self::body(left)?;
            self::body(right)
        }
        _ => ControlFlow::Continue(()),
    }
}

fn clauses(select: &Select) -> ControlFlow<String> {
    refuse(&[
        (select.top.is_some(), "TOP; write LIMIT"),
        (select.into.is_some(), "INTO; --out writes the answer"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (
            !select.cluster_by.is_empty()
                || !select.distribute_by.is_empty()
                || !select.sort_by.is_empty(),
            "CLUSTER BY, DISTRIBUTE BY or SORT BY; write ORDER BY",
        ),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY; write WHERE around a query"),
        (select.value_table_mode.is_some(), "SELECT AS"),
        (select.connect_by.is_some(), "CONNECT BY"),
    ])
}

fn refuse(left_out: &[(bool, &str)]) -> ControlFlow<String> {
    match left_out.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => ControlFlow::Break(format!("what is not done here: {what}")),
        None => ControlFlow::Continue(()),
    }
}
