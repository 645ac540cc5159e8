//! Services: what each RPC does, and how it behaves.

use std::time::Duration;

/// A gRPC service that Prism serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Full protobuf name.
    pub name: String,
    /// In the order of the `.proto` file.
    pub methods: Vec<Method>,
}

/// One RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Name within the service.
    pub name: String,
    /// Full name of the request message.
    pub input: String,
    /// Full name of the response message.
    pub output: String,
    /// Whether the server answers with a stream.
    pub server_streaming: bool,
    /// What the method does to an entity; `None` where the user writes it.
    pub binding: Option<Binding>,
    /// After this long the server gives up. `None`: the server's default.
    pub timeout: Option<Duration>,
    /// Safe to send again.
    pub idempotent: bool,
    /// Whether an unauthenticated caller is refused.
    pub require_auth: bool,
    /// What the caller must be allowed to do; all are needed.
    pub permissions: Vec<Permission>,
}

/// `prism.Permission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // documented in prism/options.proto
pub enum Permission {
    Read,
    Write,
    Admin,
}

/// A method bound to storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it does.
    pub operation: Operation,
    /// Full message name of the entity that it does it to.
    pub entity: String,
    /// Every field of the request that has a meaning, by number.
    pub request: Vec<RequestField>,
    /// Where the answer goes.
    pub response: Response,
}

impl Binding {
    /// The request field with a role, where there is at most one.
    pub fn role(&self, role: Role) -> Option<&RequestField> {
        self.request.iter().find(|field| field.role == role)
    }
}

/// `prism.Operation`, without `CUSTOM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the table in docs/semantics.md
pub enum Operation {
    Get,
    BatchGet,
    List,
    Create,
    Put,
    Update,
    Delete,
    Undelete,
}

/// A field of a request, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestField {
    /// Field number in the request.
    pub number: u32,
    /// Field name in the request, for error paths.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Number of the entity's field that it stands for; 0 where the role has none.
    pub field: u32,
    /// Whether the field has presence: a condition then holds only where it is present.
    pub presence: bool,
    /// [`Role::Keys`] of messages: number of each field in the repeated message, and of the key
    /// field of the entity that it stands for. Empty else.
    pub parts: Vec<(u32, u32)>,
}

/// `prism.Role`, and `Key` for a field that names a part of the entity's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // documented in prism/options.proto
pub enum Role {
    Key,
    /// BatchGet: a repeated scalar (`field` is the key), or a repeated message whose `parts` are
    /// the key's.
    Keys,
    Entity,
    UpdateMask,
    PageSize,
    PageToken,
    OrderBy,
    Etag,
    RequestId,
    AllowMissing,
    ShowDeleted,
    Equals,
    AtLeast,
    LessThan,
    AnyOf,
    Prefix,
    Custom,
}

/// Where the answer of a bound method goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The response is the entity.
    Entity,
    /// The response holds the entity in this field.
    Field(u32),
    /// Nothing: `google.protobuf.Empty`, or a response that leaves the entity absent.
    Empty,
    /// A list: the repeated entity, and the next page's token (0 where there is none).
    List {
        /// Number of the repeated field.
        items: u32,
        /// Number of the token's field, or 0.
        next_page_token: u32,
    },
}
