//! Migrations of the user's schema, as the generator embeds them.

/// One file of `migrations/<dialect>/`, embedded.
pub type Migration = prism_migrate::Migration<'static>;
