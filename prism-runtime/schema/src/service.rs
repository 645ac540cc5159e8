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

impl Service {
    /// A service without methods.
    pub fn new(name: impl Into<String>) -> Self {
        Service { name: name.into(), methods: Vec::new() }
    }

    /// Adds a method. Names of types are completed with the service's package.
    #[must_use]
    pub fn method(mut self, mut method: Method) -> Self {
        let package = self.name.rsplit_once('.').map_or("", |(package, _)| package);
        method.input = full_name(package, &method.input);
        method.output = full_name(package, &method.output);
        if let Some(binding) = &mut method.binding {
            binding.entity = full_name(package, &binding.entity);
        }
        self.methods.push(method);
        self
    }

    /// Sets the timeout, in milliseconds, of those methods added so far that have none.
    #[must_use]
    pub fn timeout_ms(mut self, milliseconds: u64) -> Self {
        for method in &mut self.methods {
            method.timeout.get_or_insert(Duration::from_millis(milliseconds));
        }
        self
    }
}

/// A name with a leading dot is full, any other is of the package.
fn full_name(package: &str, name: &str) -> String {
    match name.strip_prefix('.') {
        Some(full) => full.to_owned(),
        None if package.is_empty() => name.to_owned(),
        None => format!("{package}.{name}"),
    }
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

impl Method {
    /// A method that the user writes. Type names are those of the service's package, or full ones
    /// with a leading dot.
    pub fn new(
        name: impl Into<String>,
        input: impl Into<String>,
        output: impl Into<String>,
    ) -> Self {
        Method {
            name: name.into(),
            input: input.into(),
            output: output.into(),
            server_streaming: false,
            binding: None,
            timeout: None,
            idempotent: false,
            require_auth: true,
            permissions: Vec::new(),
        }
    }

    /// Binds the method to an entity, and requires what the operation does.
    #[must_use]
    pub fn binds(
        mut self,
        operation: Operation,
        entity: impl Into<String>,
        response: Response,
    ) -> Self {
        self.permissions = operation.permissions().to_vec();
        let entity = entity.into();
        self.binding = Some(Binding { operation, entity, request: Vec::new(), response });
        self
    }

    /// Gives a request field its role, and the entity's field that it stands for (0: none).
    #[must_use]
    pub fn field(self, number: u32, name: impl Into<String>, role: Role, field: u32) -> Self {
        let name = name.into();
        let presence = false;
        self.push(RequestField { number, name, role, field, presence, parts: Vec::new() })
    }

    /// As [`Method::field`], for a field with presence.
    #[must_use]
    pub fn optional(self, number: u32, name: impl Into<String>, role: Role, field: u32) -> Self {
        let name = name.into();
        let presence = true;
        self.push(RequestField { number, name, role, field, presence, parts: Vec::new() })
    }

    /// Says which key fields the messages of the last field are made of.
    #[must_use]
    pub fn parts(mut self, parts: &[(u32, u32)]) -> Self {
        let request = self.binding.as_mut().map(|binding| &mut binding.request);
        if let Some(last) = request.and_then(|request| request.last_mut()) {
            last.parts = parts.to_vec();
        }
        self
    }

    fn push(mut self, field: RequestField) -> Self {
        if let Some(binding) = &mut self.binding {
            binding.request.push(field);
        }
        self
    }

    /// The server answers with a stream.
    #[must_use]
    pub fn server_streaming(mut self) -> Self {
        self.server_streaming = true;
        self
    }

    /// Sets the timeout in milliseconds.
    #[must_use]
    pub fn timeout_ms(mut self, milliseconds: u64) -> Self {
        self.timeout = Some(Duration::from_millis(milliseconds));
        self
    }

    /// The method is safe to send again.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Unauthenticated callers are served.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.require_auth = false;
        self
    }

    /// Sets what the caller must be allowed to do.
    #[must_use]
    pub fn permissions(mut self, permissions: &[Permission]) -> Self {
        self.permissions = permissions.to_vec();
        self
    }
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

impl Operation {
    /// What a caller must be allowed to do where the method does not say.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Operation::Get | Operation::BatchGet | Operation::List => &[Permission::Read],
            _ => &[Permission::Read, Permission::Write],
        }
    }
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

impl Response {
    /// A list: numbers of the repeated entity and of the next page's token (0: none).
    pub const fn list(items: u32, next_page_token: u32) -> Self {
        Response::List { items, next_page_token }
    }
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
