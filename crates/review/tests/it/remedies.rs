//! The code that reports recommend is code that compiles: each remedy is a module here.
#![expect(dead_code, reason = "remedies are compiled, not run")]

#[path = "../../remedies/account_answer.rs"]
mod account_answer;
#[path = "../../remedies/argument_list.rs"]
mod argument_list;
#[path = "../../remedies/bound_value.rs"]
mod bound_value;
#[path = "../../remedies/bounded_amount.rs"]
mod bounded_amount;
#[path = "../../remedies/bounded_page.rs"]
mod bounded_page;
#[path = "../../remedies/certificate.rs"]
mod certificate;
#[path = "../../remedies/closed_input.rs"]
mod closed_input;
#[path = "../../remedies/contract_test.rs"]
mod contract_test;
#[path = "../../remedies/counted_use.rs"]
mod counted_use;
#[path = "../../remedies/debug_routes.rs"]
mod debug_routes;
#[path = "../../remedies/escaped_filter.rs"]
mod escaped_filter;
#[path = "../../remedies/escaped_text.rs"]
mod escaped_text;
#[path = "../../remedies/header_value.rs"]
mod header_value;
#[path = "../../remedies/inside_folder.rs"]
mod inside_folder;
#[path = "../../remedies/known_host.rs"]
mod known_host;
#[path = "../../remedies/known_partner.rs"]
mod known_partner;
#[path = "../../remedies/linear_pattern.rs"]
mod linear_pattern;
#[path = "../../remedies/once.rs"]
mod once;
#[path = "../../remedies/own_answer.rs"]
mod own_answer;
#[path = "../../remedies/own_path.rs"]
mod own_path;
#[path = "../../remedies/owned_read.rs"]
mod owned_read;
#[path = "../../remedies/owned_write.rs"]
mod owned_write;
#[path = "../../remedies/plain_error.rs"]
mod plain_error;
#[path = "../../remedies/plain_xml.rs"]
mod plain_xml;
#[path = "../../remedies/readable_by.rs"]
mod readable_by;
#[path = "../../remedies/role.rs"]
mod role;
#[path = "../../remedies/route_limit.rs"]
mod route_limit;
#[path = "../../remedies/secured_headers.rs"]
mod secured_headers;
#[path = "../../remedies/session_cookie.rs"]
mod session_cookie;
#[path = "../../remedies/sign_out.rs"]
mod sign_out;
#[path = "../../remedies/signed_in.rs"]
mod signed_in;
#[path = "../../remedies/signing_key.rs"]
mod signing_key;
#[path = "../../remedies/template_data.rs"]
mod template_data;
#[path = "../../remedies/tls_versions.rs"]
mod tls_versions;
#[path = "../../remedies/typed_value.rs"]
mod typed_value;
#[path = "../../remedies/unnamed_server.rs"]
mod unnamed_server;
#[path = "../../remedies/verified_token.rs"]
mod verified_token;
