//! Service-level objectives: what is left of the error budgets, and how fast they burn.

use wharf_base::duration;
use wharf_plan::rules::budgets;
use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::Dashboard;
use super::panel::Panel;

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let budgets = budgets(words);
    if budgets.is_empty() {
        return None;
    }
    let mut board = Dashboard::new(
        "objectives",
        "Objectives",
        "Service-level objectives: what is left of each error budget, and how fast it burns.",
    )
    .since("now-7d");
    for budget in budgets {
        let objective = budget.objective;
        let of = format!(
            "objective=\"{}\", service=\"{}\"",
            objective.name, objective.service
        );
        let target = objective.target.fraction();
        let seen = duration::format(budget.seen);
        board = board.row(
            &format!(
                "{} of {}: {} over {}",
                objective.name,
                objective.service,
                objective.target,
                duration::format(objective.window)
            ),
            vec![
                Panel::gauge(
                    "Error budget left",
                    "percentunit",
                    &format!("What is left of the failures that the objective allows, counted over {seen}. Below zero the objective is missed."),
                )
                .query(format!("objective:error_budget_remaining:ratio{{{of}}}"), "")
                .bad_below(0.1)
                .up_to(1.0),
                Panel::number(
                    "Good requests",
                    "percentunit",
                    &format!("The part of the requests within {seen} that met the objective."),
                )
                .query(
                    format!("1 - (1 - {target}) * (1 - objective:error_budget_remaining:ratio{{{of}}})"),
                    "",
                )
                .bad_below(target)
                .up_to(1.0)
                .sized(6, 6),
                Panel::lines(
                    "Burn rate",
                    "none",
                    "How many times faster than allowed the budget burns: at 1 it lasts exactly for the period. The line is where somebody is woken.",
                )
                .query(format!("objective:error_ratio:rate5m{{{of}}} / (1 - {target})"), "5 minutes")
                .query(format!("objective:error_ratio:rate1h{{{of}}} / (1 - {target})"), "1 hour")
                .query(format!("objective:error_ratio:rate6h{{{of}}} / (1 - {target})"), "6 hours")
                .query(format!("objective:error_ratio:rate3d{{{of}}} / (1 - {target})"), "3 days")
                .watch_above(1.0)
                .bad_above(14.4)
                .sized(12, 6),
                Panel::lines(
                    "Error budget over time",
                    "percentunit",
                    "A step down is an incident; a slow slope is a service that is worse than its objective.",
                )
                .query(format!("objective:error_budget_remaining:ratio{{{of}}}"), "left")
                .bad_below(0.1)
                .also_negative(),
                Panel::lines(
                    "Failures",
                    "reqps",
                    "Requests a second that miss the objective, and all of them.",
                )
                .query(format!("objective:failures:rate5m{{{of}}}"), "missed")
                .query(format!("objective:events:rate5m{{{of}}}"), "all"),
            ],
        );
    }
    Some(board)
}
