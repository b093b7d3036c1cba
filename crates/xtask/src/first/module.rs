//! A module as wasm-bindgen writes it, section by section.

use wasm_encoder::ValType;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{
    ConstExpr, Data, DataKind, ElementItems, ElementKind, Export, FunctionBody, Global, Import, Imports, KnownCustom,
    MemoryType, Name, Parser, Payload, TableType, TypeRef,
};

use crate::Result;

/// What a module holds. Functions are named by their index: those imported first, then its own.
#[derive(Default)]
pub struct Module<'a> {
    pub types: Vec<Type>,
    pub imports: Vec<Import<'a>>,
    /// How many of the imports are functions.
    pub imported: u32,
    /// The type of every function.
    pub signatures: Vec<u32>,
    pub tables: Vec<TableType>,
    pub memory: Option<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    /// Which function stands in which slot of the first table.
    pub slots: Vec<(u32, u32)>,
    /// The module's own functions, in the order of their indices.
    pub bodies: Vec<FunctionBody<'a>>,
    pub data: Vec<Segment<'a>>,
    /// The name of every function that has one.
    pub names: Vec<(u32, &'a str)>,
    /// The section that tells what the compiler may use.
    pub features: Option<&'a [u8]>,
}

/// What a function takes and gives.
pub struct Type {
    pub parameters: Vec<ValType>,
    pub results: Vec<ValType>,
}

/// A piece of data.
pub struct Segment<'a> {
    /// Where it goes.
    pub address: u32,
    pub bytes: &'a [u8],
    /// Where it stands in the file.
    pub at: u64,
}

impl<'a> Module<'a> {
    /// Reads it; what none of our modules has is an error.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload.map_err(text)?)?;
        }
        Ok(module)
    }

    fn section(&mut self, payload: Payload<'a>) -> Result {
        match payload {
            Payload::TypeSection(types) => {
                for found in types.into_iter_err_on_gc_types() {
                    let found = found.map_err(text)?;
                    let types = |types| RoundtripReencoder.val_types(types).map_err(text);
                    let (parameters, results) = (types(found.params().to_vec())?, types(found.results().to_vec())?);
                    self.types.push(Type { parameters, results });
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports {
                    let Imports::Single(_, import) = import.map_err(text)? else {
                        return Err("imports in groups".to_owned());
                    };
                    let TypeRef::Func(signature) = import.ty else {
                        return Err(format!("an import that is no function: {}", import.name));
                    };
                    self.imports.push(import);
                    self.imported += 1;
                    self.signatures.push(signature);
                }
            }
            Payload::FunctionSection(functions) => {
                for signature in functions {
                    self.signatures.push(signature.map_err(text)?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.tables.push(table.map_err(text)?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memory = Some(memory.map_err(text)?);
                }
            }
            Payload::GlobalSection(globals) => {
                self.globals = globals.into_iter().collect::<std::result::Result<_, _>>().map_err(text)?;
            }
            Payload::ExportSection(exports) => {
                self.exports = exports.into_iter().collect::<std::result::Result<_, _>>().map_err(text)?;
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(elements) => {
                for element in elements {
                    let element = element.map_err(text)?;
                    let (
                        ElementKind::Active { table_index: None | Some(0), offset_expr },
                        ElementItems::Functions(functions),
                    ) = (element.kind, element.items)
                    else {
                        return Err("elements that are not functions of the first table".to_owned());
                    };
                    for (slot, function) in (constant(&offset_expr)?..).zip(functions) {
                        self.slots.push((slot, function.map_err(text)?));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(data) => {
                for data in data {
                    let Data { kind: DataKind::Active { memory_index: 0, offset_expr }, data: bytes, range } =
                        data.map_err(text)?
                    else {
                        return Err("data that is not put into the first memory".to_owned());
                    };
                    // The bytes are the last of their segment.
                    let at = range.end - bytes.len() as u64;
                    self.data.push(Segment { address: constant(&offset_expr)?, bytes, at });
                }
            }
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => {
                    for name in names {
                        if let Name::Function(functions) = name.map_err(text)? {
                            for naming in functions {
                                let naming = naming.map_err(text)?;
                                self.names.push((naming.index, naming.name));
                            }
                        }
                    }
                }
                _ if section.name() == "target_features" => self.features = Some(section.data()),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// The number of a function's type.
    pub fn signature(&self, function: u32) -> Result<u32> {
        let signature = self.signatures.get(function as usize);
        Ok(*signature.ok_or_else(|| format!("there is no function {function}"))?)
    }
}

/// The number that an expression is.
fn constant(expression: &ConstExpr) -> Result<u32> {
    let mut operators = expression.get_operators_reader();
    match operators.read().map_err(text)? {
        wasmparser::Operator::I32Const { value } => Ok(value.cast_unsigned()),
        _ => Err("an offset that is no number".to_owned()),
    }
}

pub fn text(error: impl ToString) -> String {
    error.to_string()
}
