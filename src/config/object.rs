//! What is no text in a config: objects of the caller's.

use std::{any, fmt, ops::Deref, sync::Arc};

/// An object of the caller's in a config: equal to itself alone, and printed by the name of its type.
pub(crate) struct Object<T: ?Sized> {
    name: &'static str,
    object: Arc<T>,
}

impl<T: ?Sized> Object<T> {
    /// One that is of type `O`.
    pub(super) fn new<O>(object: Arc<T>) -> Self {
        Self {
            name: any::type_name::<O>(),
            object,
        }
    }

    /// The object itself.
    pub(crate) fn share(&self) -> Arc<T> {
        Arc::clone(&self.object)
    }
}

impl<T: ?Sized> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T: ?Sized> Clone for Object<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            object: Arc::clone(&self.object),
        }
    }
}

impl<T: ?Sized> PartialEq for Object<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.object, &other.object)
    }
}

impl<T: ?Sized> Eq for Object<T> {}

impl<T: ?Sized> fmt::Debug for Object<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
