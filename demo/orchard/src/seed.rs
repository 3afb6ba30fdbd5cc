//! The seed is what the shop knows when it opens: three users, their orders, the fruit and the coupons.

use crate::failure::Failure;
use crate::password;
use crate::store::{Bound, Store};

/// A user the shop opens with, password included.
///
/// ```
/// let alice = orchard::USERS.iter().find(|user| user.username == "alice").unwrap();
/// assert_eq!((alice.id, alice.role), ("u-alice", "customer"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SeededUser {
    /// The name to log in with.
    pub username: &'static str,
    /// The password to log in with.
    pub password: &'static str,
    /// The id, which is the `sub` claim of the user's tokens.
    pub id: &'static str,
    /// `customer` or `admin`.
    pub role: &'static str,
}

/// The users the shop opens with: two customers and the administrator.
pub const USERS: &[SeededUser] = &[
    SeededUser { username: "alice", password: "apple-crate-17", id: "u-alice", role: "customer" },
    SeededUser { username: "bob", password: "pear-basket-42", id: "u-bob", role: "customer" },
    SeededUser { username: "admin", password: "quince-ladder-99", id: "u-admin", role: "admin" },
];

/// Empties the database and fills it anew.
pub(crate) async fn plant(store: &Store) -> Result<(), Failure> {
    store.script(SCRIPT).await.map_err(|error| Failure::sql(&error, SCRIPT))?;
    for user in USERS {
        let values: [Bound; 4] =
            [user.id.into(), user.username.into(), (&password::hash(user.password)).into(), user.role.into()];
        store.rows(INSERT_USER, &values).await?;
    }
    Ok(())
}

const INSERT_USER: &str = "INSERT INTO users (id, username, password_hash, role, email, display_name, internal_note) \
     VALUES (?1, ?2, ?3, ?4, ?2 || '@orchard.example', upper(substr(?2, 1, 1)) || substr(?2, 2), \
     'credit checked, account ' || ?1)";

// 495 rows of padding make 500 products, so that a page of 400 is really a page of 400.
const SCRIPT: &str = "
DROP TABLE IF EXISTS users;
DROP TABLE IF EXISTS products;
DROP TABLE IF EXISTS reviews;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS coupons;
DROP TABLE IF EXISTS redemptions;

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    role TEXT NOT NULL,
    internal_note TEXT NOT NULL,
    balance_cents INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE products (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY,
    product_id TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    product_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    total_cents INTEGER NOT NULL,
    address TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE coupons (code TEXT PRIMARY KEY, value_cents INTEGER NOT NULL);
CREATE TABLE redemptions (user_id TEXT NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL);

INSERT INTO products (id, name, price_cents, stock, description) VALUES
    ('p-1', 'Cox apple', 180, 240, 'A crisp dessert apple with a scent of pear.'),
    ('p-2', 'Conference pear', 210, 160, 'Long, green and sweet; keeps until spring.'),
    ('p-3', 'Mirabelle plum', 390, 80, 'Small and golden, picked by hand in August.'),
    ('p-4', 'Quince', 450, 45, 'Too hard to eat raw; makes the best jelly.'),
    ('p-5', 'Medlar', 520, 20, 'Ready when it looks spoiled.');
WITH RECURSIVE padding (n) AS (SELECT 6 UNION ALL SELECT n + 1 FROM padding WHERE n < 500)
INSERT INTO products (id, name, price_cents, stock, description)
    SELECT 'p-' || n, 'Rootstock ' || n, 900 + n, 10, 'A young tree, variety ' || n || '.' FROM padding;

INSERT INTO reviews (product_id, author, text) VALUES
    ('p-1', 'u-alice', 'The best apple I had this year.'),
    ('p-1', 'u-bob', 'A little small, but good.'),
    ('p-2', 'u-bob', 'Arrived ripe, all of it.'),
    ('p-4', 'u-alice', 'Eight jars of jelly from one crate.');

INSERT INTO orders (id, owner, product_id, quantity, total_cents, address, status) VALUES
    ('o-1001', 'u-alice', 'p-1', 4, 720, '1 Mill Lane, Harrow', 'placed'),
    ('o-1002', 'u-alice', 'p-4', 2, 900, '1 Mill Lane, Harrow', 'shipped'),
    ('o-2001', 'u-bob', 'p-3', 1, 390, '7 Canal Street, Leeds', 'placed');

INSERT INTO coupons (code, value_cents) VALUES ('HARVEST10', 1000), ('WINDFALL5', 500);
";
