//! The objects of the KEDA HTTP add-on: their schemas against facts of the add-on's own, and what they mean.

#[cfg(test)] // for the lints: all of it is test code
mod accepted;
#[cfg(test)]
mod cel;
#[cfg(test)]
mod http_scaled_object;
#[cfg(test)]
mod interceptor_route;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod yaml;
