//! The rules of a batch over random histories of a shop with three locations.

use proptest::prelude::*;
use shop_types::event::StockFact;

use super::*;

const SKUS: [&str; 3] = ["cup", "mug", "pot"];

fn any_command() -> impl Strategy<Value = Command> {
    let name = prop::sample::select(SKUS.to_vec());
    let wanted = prop::collection::btree_map(name.clone(), 1_u32..6, 1..=3);
    let location = prop::sample::select(vec!["main", "berlin", "zoo"]);
    let scope = prop::sample::select(vec![Scope::Hold, Scope::HoldOrSale]);
    prop_oneof![
        4 => (0_u8..8, wanted).prop_map(|(n, of)| reserve(n, &of.into_iter().collect::<Vec<_>>())),
        2 => (0_u8..8).prop_map(commit),
        2 => (0_u8..8, scope).prop_map(|(n, scope)| release(n, scope)),
        1 => (name.clone(), 0_u32..12, 0_u8..4).prop_map(|(name, n, id)| set_on_hand(name, n, &id.to_string())),
        1 => (location.clone(), location.clone(), name.clone(), 1_u32..6, prop::option::of(4_u8..8)).prop_map(
            |(from, to, name, n, id)| transfer(name, from, to, n, id.map(|id| id.to_string()).as_deref())
        ),
        2 => (location, name, prop_oneof![-6_i64..0, 1_i64..9], prop::option::of(0_u8..4))
            .prop_map(|(location, name, n, id)| adjust_at(location, name, n, id.map(|id| id.to_string()).as_deref())),
    ]
}

/// I1 and I2 of every SKU in every location.
fn assert_sound(stored: &Stored) {
    for stock in stored.stock.values().flat_map(Shelf::stocks) {
        assert!(stock.is_balanced(), "{stock:?}");
        let pieces = |wanted: &State| -> i64 {
            let matching = stored.reservations.values().filter(|r| &r.state == wanted);
            let lines = matching.flat_map(|r| r.lines.iter().flat_map(Lines::as_slice).map(move |line| (r, line)));
            lines
                .filter(|(r, line)| line.sku == stock.sku && r.location_of(&line.sku) == stock.location)
                .map(|(_, line)| i64::from(line.quantity.get()))
                .sum()
        };
        assert_eq!(stock.reserved, pieces(&State::Held), "reserved pieces of {stock:?}");
        assert_eq!(stock.sold, pieces(&State::Committed), "sold pieces of {stock:?}");
    }
}

/// Every version of a stock has its movement, and the movements lead from nothing to what is stored.
fn assert_history(stored: &Stored, movements: &[Movement]) {
    for stock in stored.stock.values().flat_map(Shelf::stocks) {
        let mut last = Stock::none(stock.sku.clone(), stock.location.clone());
        let same =
            |movement: &&Movement| (&movement.after.sku, &movement.after.location) == (&stock.sku, &stock.location);
        for movement in movements.iter().filter(same) {
            assert_eq!(moved(&last, movement.change).as_ref(), Ok(&movement.after));
            last = movement.after.clone();
        }
        assert_eq!(&last, stock);
    }
}

/// What was told of each SKU last is so, and no version was told twice.
fn assert_told(stored: &Stored, facts: &[StockFact]) {
    for (name, shelf) in &stored.stock {
        let of_this = facts.iter().filter(|fact| &fact.sku == name).collect::<Vec<_>>();
        assert!(of_this.windows(2).all(|pair| pair[0].version < pair[1].version), "{of_this:?}");
        assert_eq!(of_this.last().map(|fact| fact.available), Some(shelf.sellable()), "{shelf:?}");
    }
}

proptest! {
    #[test]
    fn no_history_loses_oversells_or_splits_an_order(batches in prop::collection::vec(prop::collection::vec(any_command(), 1..12), 1..12)) {
        let mut stored = empty();
        let (mut movements, mut facts) = (Vec::new(), Vec::new());
        for batch in &batches {
            let decision = decide(&stored, batch);
            prop_assert_eq!(decision.answers.len(), batch.len());
            facts.extend(decision.writes.facts.iter().cloned());
            movements.extend(decision.writes.movements.iter().cloned());
            stored = store(stored, decision.writes);
            assert_sound(&stored);
        }
        assert_history(&stored, &movements);
        assert_told(&stored, &facts);
    }

    #[test]
    fn one_batch_comes_to_the_same_as_one_command_at_a_time(commands in prop::collection::vec(any_command(), 1..60)) {
        let together = run(std::slice::from_ref(&commands));
        let apart = run(&commands.into_iter().map(|command| vec![command]).collect::<Vec<_>>());
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn doing_every_command_twice_in_a_row_is_doing_it_once(commands in prop::collection::vec(any_command(), 1..60)) {
        let keyed: Vec<_> = commands.into_iter().filter(|c| !matches!(c, Command::Adjust(Adjustment { key: None, .. }) | Command::Transfer(Transfer { key: None, .. }))).collect();
        let once = run(std::slice::from_ref(&keyed));
        let doubled: Vec<_> = keyed.into_iter().flat_map(|command| [command.clone(), command]).collect();
        let twice = run(&[doubled]);
        prop_assert_eq!(&once.0, &twice.0);
        for (n, answer) in once.1.iter().enumerate() {
            prop_assert_eq!(answer, &twice.1[2 * n]);
            prop_assert_eq!(answer, &twice.1[2 * n + 1]);
        }
    }

    #[test]
    fn holds_never_exceed_what_is_there(stock in 0_u32..40, wants in prop::collection::vec(1_u32..10, 1..40)) {
        let mut commands = vec![set_on_hand("mug", stock, "k")];
        commands.extend((0_u8..).zip(&wants).map(|(n, q)| reserve(n, &[("mug", *q)])));
        let (stored, answers) = run(&[commands]);
        let held: u32 = answers[1..].iter().zip(&wants).filter(|(a, _)| state(a) == &State::Held).map(|(_, q)| q).sum();
        prop_assert!(held <= stock);
        prop_assert_eq!(counts(&stored, "mug").1, i64::from(held));
        // First come, first served: whoever was refused did not fit at that moment.
        let mut left = stock;
        for (answer, q) in answers[1..].iter().zip(&wants) {
            let fits = *q <= left;
            prop_assert_eq!(state(answer) == &State::Held, fits);
            left -= if fits { *q } else { 0 };
        }
    }
}
