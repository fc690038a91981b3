//! The engine on small ledgers that can be followed by hand.

mod alerts;
mod books;
mod desk;
mod freezing;
mod image;
mod late;
mod ledgers;
mod town;
