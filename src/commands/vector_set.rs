//! Vector sets: members with vectors, and what is similar to them.
//!
//! A vector is passed as `f32`s, which are sent as 32-bit floats in one piece:
//! `client.vadd("set", [0.1, 0.2], "element")`.

include!(concat!(env!("OUT_DIR"), "/commands/vector_set.rs"));

/// The bytes of a vector as `FP32` wants them: 32-bit floats, little end first.
fn fp32(vector: &[f32]) -> Arg<'static> {
    vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect::<Vec<u8>>()
        .into()
}

impl From<&[f32]> for VaddVector<'_> {
    fn from(vector: &[f32]) -> Self {
        Self::Fp32(fp32(vector))
    }
}

impl<const N: usize> From<[f32; N]> for VaddVector<'_> {
    fn from(vector: [f32; N]) -> Self {
        Self::Fp32(fp32(&vector))
    }
}

impl From<&Vec<f32>> for VaddVector<'_> {
    fn from(vector: &Vec<f32>) -> Self {
        Self::Fp32(fp32(vector))
    }
}

impl From<&[f32]> for VsimQuery<'_> {
    fn from(vector: &[f32]) -> Self {
        Self::Fp32(fp32(vector))
    }
}

impl<const N: usize> From<[f32; N]> for VsimQuery<'_> {
    fn from(vector: [f32; N]) -> Self {
        Self::Fp32(fp32(&vector))
    }
}

impl From<&Vec<f32>> for VsimQuery<'_> {
    fn from(vector: &Vec<f32>) -> Self {
        Self::Fp32(fp32(vector))
    }
}
