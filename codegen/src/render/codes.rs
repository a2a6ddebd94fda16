//! The codes of error replies as constants.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::{Codes, Execution};

use super::tokens::{doc, ident};

/// ```text
/// /// `OOM`: the memory of the server is full.
/// pub const OOM: &str = "OOM";
///
/// /// Every code of the spec, sorted, with what it says about the execution of a command.
/// pub static ALL: &[(&str, Execution)] = &[(OOM, Execution::RefusedOutsideScripts)];
///
/// /// Those that pass: a server may answer the same command otherwise later.
/// pub static PASSING: &[&str] = &[OOM];
/// ```
pub(super) fn file(codes: &Codes) -> TokenStream {
    let constants = codes.iter().map(|(name, code)| {
        let docs = doc(&format!("`{name}`: {}.", code.meaning));
        let constant = ident(name);
        quote! {
            #docs
            pub const #constant: &str = #name;
        }
    });
    let all = codes.iter().map(|(name, code)| {
        let constant = ident(name);
        match code.execution {
            Execution::Refused => quote!((#constant, Execution::Refused)),
            Execution::RefusedOutsideScripts => {
                quote!((#constant, Execution::RefusedOutsideScripts))
            }
            Execution::Possible => quote!((#constant, Execution::Possible)),
        }
    });
    let passing = codes.iter().filter(|(_, code)| code.passes);
    let passing = passing.map(|(name, _)| ident(name));
    quote! {
        #(#constants)*

        /// Every code of the spec, sorted, with what it says about the execution of a command.
        pub static ALL: &[(&str, Execution)] = &[#(#all),*];

        /// Those that pass: a server may answer the same command otherwise later.
        pub static PASSING: &[&str] = &[#(#passing),*];
    }
}
