//! Which worker thread this is, so that what workers share can be split and seldom waited for.

use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The number of the worker that runs this thread; 0 where there is only one.
pub(crate) fn current() -> usize {
    CURRENT.get()
}

/// Says that this thread is worker `number`.
pub(crate) fn enter(number: usize) {
    CURRENT.set(number);
}
