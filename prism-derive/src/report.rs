//! Errors of one expansion, reported together.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Collects what is wrong with the input, so that one compilation shows all of it.
#[derive(Default)]
pub(crate) struct Report(Option<syn::Error>);

impl Report {
    /// Notes a mistake at the tokens that it is about, and what to write instead.
    pub(crate) fn error(&mut self, at: impl ToTokens, fact: impl AsRef<str>, help: &str) {
        self.push(error(at, fact, help));
    }

    /// Notes an error of syn's.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Takes the value of a result, or notes its error.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(|error| error.to_compile_error()).unwrap_or_default()
    }
}

/// One mistake, with what to write instead.
pub(crate) fn error(at: impl ToTokens, fact: impl AsRef<str>, help: &str) -> syn::Error {
    syn::Error::new_spanned(at, format!("{}\nhelp: {help}", fact.as_ref()))
}
