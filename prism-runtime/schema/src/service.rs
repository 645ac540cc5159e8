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

/// How generated code writes a service down: a method, then what is to be said of it, then the
/// next one. Names of types are those of the service's package, or full with a leading dot.
impl Service {
    /// A service without methods.
    pub fn new(name: impl Into<String>) -> Self {
        Service { name: name.into(), methods: Vec::new() }
    }

    /// Adds a method that the user writes: `Watch(Topic) -> stream Event`. An input that is
    /// called `WatchRequest` and a single output that is called `WatchResponse` are left out.
    #[must_use]
    pub fn rpc(mut self, signature: &str) -> Self {
        let (left, output) = signature.split_once(" -> ").unwrap_or((signature, ""));
        let (name, input) = left.trim_end_matches(')').split_once('(').unwrap_or((left, ""));
        let (streams, output) = match output.strip_prefix("stream ") {
            Some(output) => (true, output),
            None => (false, output),
        };
        let or = |name: &str, default: &str, of: &str| match name {
            "" => format!("{of}{default}"),
            given => given.to_owned(),
        };
        let (input, output) = (or(input, "Request", name), or(output, "Response", name));
        self.methods.push(Method {
            name: name.to_owned(),
            input: self.full_name(&input),
            output: self.full_name(&output),
            server_streaming: streams,
            binding: None,
            timeout: None,
            idempotent: false,
            require_auth: true,
            permissions: Vec::new(),
        });
        self
    }

    /// Binds the last method to an entity, and requires what the operation does.
    #[must_use]
    pub fn binds(self, operation: Operation, entity: &str, response: Response) -> Self {
        let entity = self.full_name(entity);
        self.change(|method| {
            method.permissions = operation.permissions().to_vec();
            method.binding = Some(Binding { operation, entity, request: Vec::new(), response });
        })
    }

    /// Gives a request field of the last method its role, and the entity's field that it stands
    /// for (0: none).
    #[must_use]
    pub fn field(self, number: u32, name: &str, role: Role, field: u32) -> Self {
        self.request(number, name, role, field, false)
    }

    /// As [`Service::field`], for a field with presence.
    #[must_use]
    pub fn optional(self, number: u32, name: &str, role: Role, field: u32) -> Self {
        self.request(number, name, role, field, true)
    }

    fn request(self, number: u32, name: &str, role: Role, field: u32, presence: bool) -> Self {
        let name = name.to_owned();
        let field = RequestField { number, name, role, field, presence, parts: Vec::new() };
        self.change(|method| {
            if let Some(binding) = &mut method.binding {
                binding.request.push(field);
            }
        })
    }

    /// Says which key fields the messages of the last request field are made of.
    #[must_use]
    pub fn parts(self, parts: &[(u32, u32)]) -> Self {
        self.change(|method| {
            let request = method.binding.as_mut().map(|binding| &mut binding.request);
            if let Some(last) = request.and_then(|request| request.last_mut()) {
                last.parts = parts.to_vec();
            }
        })
    }

    /// Gives two request fields of the last method, by number and name, the roles of a list's
    /// pages.
    #[must_use]
    pub fn pages(self, size: u32, size_name: &str, token: u32, token_name: &str) -> Self {
        self.field(size, size_name, Role::PageSize, 0).field(token, token_name, Role::PageToken, 0)
    }

    /// Says how the last method behaves, where that is not the default.
    #[must_use]
    pub fn rules(self, rules: &[Rule]) -> Self {
        self.change(|method| {
            let permissions: Vec<_> = rules.iter().filter_map(|rule| rule.permission()).collect();
            if !permissions.is_empty() {
                method.permissions = permissions;
            }
            for rule in rules {
                match rule {
                    Rule::TimeoutMs(ms) => method.timeout = Some(Duration::from_millis(*ms)),
                    Rule::Idempotent => method.idempotent = true,
                    Rule::Public => method.require_auth = false,
                    Rule::Read | Rule::Write | Rule::Admin => {}
                }
            }
        })
    }

    /// Sets the timeout, in milliseconds, of those methods that have none.
    #[must_use]
    pub fn default_timeout_ms(mut self, milliseconds: u64) -> Self {
        for method in &mut self.methods {
            method.timeout.get_or_insert(Duration::from_millis(milliseconds));
        }
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Method)) -> Self {
        if let Some(method) = self.methods.last_mut() {
            change(method);
        }
        self
    }

    fn full_name(&self, name: &str) -> String {
        match (name.strip_prefix('.'), self.name.rsplit_once('.')) {
            (Some(full), _) => full.to_owned(),
            (None, Some((package, _))) => format!("{package}.{name}"),
            (None, None) => name.to_owned(),
        }
    }
}

/// How a method behaves, as generated code writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The server gives up after so many milliseconds.
    TimeoutMs(u64),
    /// Safe to send again.
    Idempotent,
    /// Serves unauthenticated callers.
    Public,
    /// The caller must be allowed to read. Permissions replace those of the operation.
    Read,
    /// The caller must be allowed to write.
    Write,
    /// The caller must be an administrator.
    Admin,
}

impl Rule {
    fn permission(self) -> Option<Permission> {
        Some(match self {
            Rule::Read => Permission::Read,
            Rule::Write => Permission::Write,
            Rule::Admin => Permission::Admin,
            Rule::TimeoutMs(_) | Rule::Idempotent | Rule::Public => return None,
        })
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
