//! The mistakes, one after the other. A test's name tells what sanitizers have to leave out: they build no macros beside it.

use crate::refused;

#[test]
fn a_function_that_is_not_async_is_told_so_at_its_fn() {
    refused(
        "#[kasasagi_macros::main]\npub(crate) fn main() {}",
        "`#[kasasagi::main]` runs an `async fn`: write `async fn` here, or leave the attribute out",
        "2:12",
    );
    refused(
        "#[kasasagi_macros::test]\nfn async_things() {}\nfn main() {}",
        "`#[kasasagi::test]` runs an `async fn`: write `async fn` here, or leave the attribute out",
        "2:1",
    );
}

#[test]
fn what_is_no_function_is_told_where_the_attribute_belongs() {
    refused(
        "#[kasasagi_macros::main]\nstruct Main;\nfn main() {}",
        "`#[kasasagi::main]` belongs to an `async fn`",
        "2:1",
    );
}

#[test]
fn an_unknown_argument_is_told_which_there_are() {
    refused(
        "#[kasasagi_macros::main(current_thread, threads = 4)]\nasync fn main() -> u8 { 1 }",
        "`#[kasasagi::main]` knows no `threads`: write `workers = n`, `current_thread` or `virtual_time`, or build a \
         `kasasagi::Runtime` for anything else",
        "1:41",
    );
}

#[test]
fn arguments_that_contradict_each_other_or_say_nothing_are_told_so() {
    let main = "\nasync fn main() {}";
    for (arguments, text, place) in [
        (
            "workers = 2, current_thread",
            "say either `workers = n` or `current_thread`, and once",
            "1:38",
        ),
        ("workers", "a number was expected: `workers = 4`", "1:25"),
        ("workers(4)", "a number was expected: `workers = 4`", "1:32"),
        ("workers = ,", "a number was expected: `workers = 4`", "1:25"),
        ("virtual_time, virtual_time", "`virtual_time` is said twice", "1:39"),
        ("current_thread virtual_time", "a comma was expected after `current_thread`", "1:40"),
    ] {
        refused(&format!("#[kasasagi_macros::main({arguments})]{main}"), text, place);
    }
}

#[test]
fn a_test_with_arguments_or_twice_a_test_is_told_so() {
    refused(
        "#[kasasagi_macros::test]\nasync fn adds(a: u32) {}\nfn main() {}",
        "a test takes no arguments: nobody is there to give them",
        "2:15",
    );
    refused(
        "#[kasasagi_macros::test]\n#[test]\nasync fn twice() {}\nfn main() {}",
        "`#[kasasagi::test]` makes it a test already: leave this `#[test]` out",
        "2:3",
    );
}
