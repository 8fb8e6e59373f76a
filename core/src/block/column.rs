//! The values of one column in memory.

/// Of what kind the values of a column are; the number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// 16-bit integers.
    I16 = 1,
    /// 32-bit integers; dates too.
    I32 = 2,
    /// 64-bit integers; timestamps in microseconds too.
    I64 = 3,
    /// 32-bit floats, kept bit by bit.
    F32 = 4,
    /// 64-bit floats, kept bit by bit.
    F64 = 5,
    /// True and false.
    Bool = 6,
    /// Byte strings: text, UUIDs, and the bytes of every type without a kind of its own.
    Bytes = 7,
}

impl Kind {
    /// The kind of this code.
    pub fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::I16,
            2 => Self::I32,
            3 => Self::I64,
            4 => Self::F32,
            5 => Self::F64,
            6 => Self::Bool,
            7 => Self::Bytes,
            _ => return None,
        })
    }
}

/// Byte strings, which may share their bytes.
#[derive(Debug, Clone, Default)]
pub struct ByteStrings {
    data: Vec<u8>,
    spans: Vec<(u32, u32)>,
}

impl ByteStrings {
    /// Appends a string.
    ///
    /// # Panics
    /// When all strings together reach 4 GB, which a caller who keeps to a block's limits cannot reach.
    pub fn push(&mut self, bytes: &[u8]) {
        let start = u32::try_from(self.data.len()).expect("the strings of a block are below 4 GB");
        self.data.extend_from_slice(bytes);
        let end = u32::try_from(self.data.len()).expect("the strings of a block are below 4 GB");
        self.spans.push((start, end));
    }

    /// Appends the string that stands at `index` already, without its bytes.
    pub(super) fn repeat(&mut self, index: usize) {
        self.spans.push(self.spans[index]);
    }

    /// Strings that stand in `data`; the caller has checked that every span lies in it.
    pub(super) fn shared(data: Vec<u8>, spans: Vec<(u32, u32)>) -> Self {
        Self { data, spans }
    }

    pub(super) fn into_parts(self) -> (Vec<u8>, Vec<(u32, u32)>) {
        (self.data, self.spans)
    }

    /// How many strings.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The bytes of all strings together, shared ones once.
    pub fn data_len(&self) -> usize {
        self.data.len()
    }

    /// The string at `index`.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        let (start, end) = self.spans[index];
        &self.data[start as usize..end as usize]
    }

    /// Where the string at `index` stands; equal for strings that share their bytes.
    ///
    /// # Panics
    /// When there is none.
    pub fn place(&self, index: usize) -> (u32, u32) {
        self.spans[index]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }
}

impl PartialEq for ByteStrings {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// The values of a column, one a row; where the row is null it stands for nothing.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the kinds are described at Kind")]
pub enum Values {
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    Bytes(ByteStrings),
}

impl Values {
    /// No values of this kind yet.
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::I16 => Self::I16(Vec::new()),
            Kind::I32 => Self::I32(Vec::new()),
            Kind::I64 => Self::I64(Vec::new()),
            Kind::F32 => Self::F32(Vec::new()),
            Kind::F64 => Self::F64(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Bytes => Self::Bytes(ByteStrings::default()),
        }
    }

    /// Their kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::I16(_) => Kind::I16,
            Self::I32(_) => Kind::I32,
            Self::I64(_) => Kind::I64,
            Self::F32(_) => Kind::F32,
            Self::F64(_) => Kind::F64,
            Self::Bool(_) => Kind::Bool,
            Self::Bytes(_) => Kind::Bytes,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Bytes(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A column of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// One a row.
    pub values: Values,
    /// Which rows are null, when any is.
    pub nulls: Option<Vec<bool>>,
}

impl Column {
    /// No rows yet.
    pub fn empty(kind: Kind) -> Self {
        Self { values: Values::empty(kind), nulls: None }
    }

    /// A column without nulls.
    pub fn of(values: Values) -> Self {
        Self { values, nulls: None }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether this row is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls[row])
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        let rows = self.len();
        match &mut self.values {
            Values::I16(v) => v.push(0),
            Values::I32(v) => v.push(0),
            Values::I64(v) => v.push(0),
            Values::F32(v) => v.push(0.0),
            Values::F64(v) => v.push(0.0),
            Values::Bool(v) => v.push(false),
            Values::Bytes(v) => v.push(&[]),
        }
        self.nulls.get_or_insert_with(|| vec![false; rows]).push(true);
    }

    /// To be called after a value was pushed onto `values`.
    pub fn pushed_value(&mut self) {
        if let Some(nulls) = &mut self.nulls {
            nulls.push(false);
        }
    }
}

impl Column {
    /// These rows, in this order: row `i` is what row `order[i]` was.
    ///
    /// # Panics
    /// When a number of the order is that of no row.
    pub fn in_order(&self, order: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
            order.iter().map(|row| values[*row as usize]).collect()
        }
        let values = match &self.values {
            Values::I16(v) => Values::I16(pick(v, order)),
            Values::I32(v) => Values::I32(pick(v, order)),
            Values::I64(v) => Values::I64(pick(v, order)),
            Values::F32(v) => Values::F32(pick(v, order)),
            Values::F64(v) => Values::F64(pick(v, order)),
            Values::Bool(v) => Values::Bool(pick(v, order)),
            Values::Bytes(v) => {
                let mut strings = ByteStrings::default();
                order.iter().for_each(|row| strings.push(v.get(*row as usize)));
                Values::Bytes(strings)
            }
        };
        Self { values, nulls: self.nulls.as_ref().map(|nulls| pick(nulls, order)) }
    }
}
