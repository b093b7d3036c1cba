//! One key with its cipher: seals a value behind its IV or nonce, and opens it.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::consts::U12;
use cbc::cipher::{BlockCipher, BlockDecryptMut, BlockEncryptMut, BlockSizeUser, InnerIvInit};
use crypto_secretbox::XSalsa20Poly1305;

use super::Failure;
use crate::world::World;

const BLOCK: usize = 16;
const GCM_NONCE: usize = 12;
const SECRETBOX_NONCE: usize = 24;
const TAG: usize = 16;

/// Boxed: an expanded AES key takes up to a kilobyte.
pub(super) enum Cipher {
    Cbc128(Box<Aes128>),
    Cbc192(Box<Aes192>),
    Cbc256(Box<Aes256>),
    Gcm128(Box<Aes128Gcm>),
    Gcm192(Box<AesGcm<Aes192, U12>>),
    Gcm256(Box<Aes256Gcm>),
    Secretbox(Box<XSalsa20Poly1305>),
}

impl Cipher {
    /// `None` where the key has no size of AES.
    pub(super) fn cbc(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Cbc128(Box::new(Aes128::new_from_slice(key).ok()?)),
            24 => Self::Cbc192(Box::new(Aes192::new_from_slice(key).ok()?)),
            _ => Self::Cbc256(Box::new(Aes256::new_from_slice(key).ok()?)),
        })
    }

    /// `None` where the key has no size of AES.
    pub(super) fn gcm(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Gcm128(Box::new(AesGcm::new_from_slice(key).ok()?)),
            24 => Self::Gcm192(Box::new(AesGcm::new_from_slice(key).ok()?)),
            _ => Self::Gcm256(Box::new(AesGcm::new_from_slice(key).ok()?)),
        })
    }

    /// `None` where the key has not 32 bytes.
    pub(super) fn secretbox(key: &[u8]) -> Option<Self> {
        Some(Self::Secretbox(Box::new(XSalsa20Poly1305::new_from_slice(key).ok()?)))
    }

    /// A fresh IV or nonce of the size that [`Self::seal`] wants.
    pub(super) fn nonce(&self, world: &mut World) -> Vec<u8> {
        match self {
            Self::Cbc128(_) | Self::Cbc192(_) | Self::Cbc256(_) => world.draw::<BLOCK>().to_vec(),
            Self::Gcm128(_) | Self::Gcm192(_) | Self::Gcm256(_) => world.draw::<GCM_NONCE>().to_vec(),
            Self::Secretbox(_) => world.draw::<SECRETBOX_NONCE>().to_vec(),
        }
    }

    /// Appends `nonce` and the sealed `plain` to `value`; `key` is the etcd key, which aesgcm authenticates too.
    pub(super) fn seal(&self, key: &str, plain: &[u8], nonce: &[u8], value: &mut Vec<u8>) -> Result<(), Failure> {
        value.extend_from_slice(nonce);
        match self {
            Self::Cbc128(cipher) => seal_cbc(&**cipher, plain, nonce, value),
            Self::Cbc192(cipher) => seal_cbc(&**cipher, plain, nonce, value),
            Self::Cbc256(cipher) => seal_cbc(&**cipher, plain, nonce, value),
            Self::Gcm128(cipher) => seal_gcm(&**cipher, key, plain, nonce, value),
            Self::Gcm192(cipher) => seal_gcm(&**cipher, key, plain, nonce, value),
            Self::Gcm256(cipher) => seal_gcm(&**cipher, key, plain, nonce, value),
            Self::Secretbox(cipher) => {
                let mut sealed = plain.to_vec();
                let tag = cipher
                    .encrypt_in_place_detached(GenericArray::from_slice(nonce), b"", &mut sealed)
                    .map_err(|_| Failure::NotAuthenticSecretbox)?;
                value.extend_from_slice(&tag);
                value.append(&mut sealed);
                Ok(())
            }
        }
    }

    /// The plain value of what [`Self::seal`] appended.
    pub(super) fn open(&self, key: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Cbc128(cipher) => open_cbc(&**cipher, sealed),
            Self::Cbc192(cipher) => open_cbc(&**cipher, sealed),
            Self::Cbc256(cipher) => open_cbc(&**cipher, sealed),
            Self::Gcm128(cipher) => open_gcm(&**cipher, key, sealed),
            Self::Gcm192(cipher) => open_gcm(&**cipher, key, sealed),
            Self::Gcm256(cipher) => open_gcm(&**cipher, key, sealed),
            Self::Secretbox(cipher) => {
                let (nonce, sealed) = sealed.split_at_checked(SECRETBOX_NONCE).ok_or(Failure::Short)?;
                let (tag, sealed) = sealed.split_at_checked(TAG).ok_or(Failure::Short)?;
                let mut plain = sealed.to_vec();
                let (nonce, tag) = (GenericArray::from_slice(nonce), GenericArray::from_slice(tag));
                cipher
                    .decrypt_in_place_detached(nonce, b"", &mut plain, tag)
                    .map_err(|_| Failure::NotAuthenticSecretbox)?;
                Ok(plain)
            }
        }
    }
}

/// Keys stay out of debug output.
impl std::fmt::Debug for Cipher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cipher")
    }
}

fn seal_cbc<C>(cipher: &C, plain: &[u8], iv: &[u8], value: &mut Vec<u8>) -> Result<(), Failure>
where
    C: BlockSizeUser<BlockSize = cbc::cipher::consts::U16>,
    for<'c> &'c C: BlockEncryptMut + BlockCipher + BlockSizeUser<BlockSize = cbc::cipher::consts::U16>,
{
    let padding = BLOCK - plain.len() % BLOCK;
    let mut blocks = Vec::with_capacity(plain.len() + padding);
    blocks.extend_from_slice(plain);
    blocks.resize(plain.len() + padding, padding as u8);
    let size = blocks.len();
    cbc::Encryptor::inner_iv_init(cipher, GenericArray::from_slice(iv))
        .encrypt_padded_mut::<NoPadding>(&mut blocks, size)
        .map_err(|_| Failure::NotBlocks)?;
    value.append(&mut blocks);
    Ok(())
}

/// The checks in the server's order, each with its error.
fn open_cbc<C>(cipher: &C, sealed: &[u8]) -> Result<Vec<u8>, Failure>
where
    for<'c> &'c C: BlockDecryptMut + BlockCipher + BlockSizeUser<BlockSize = cbc::cipher::consts::U16>,
{
    let (iv, sealed) = sealed.split_at_checked(BLOCK).ok_or(Failure::Short)?;
    let mut plain = sealed.to_vec();
    cbc::Decryptor::inner_iv_init(cipher, GenericArray::from_slice(iv))
        .decrypt_padded_mut::<NoPadding>(&mut plain)
        .map_err(|_| Failure::NotBlocks)?;
    let last = *plain.last().ok_or(Failure::NoBlock)?;
    let size = plain.len().checked_sub(usize::from(last)).filter(|_| last != 0).ok_or(Failure::NotPadded)?;
    if plain.iter().skip(size).any(|byte| *byte != last) {
        return Err(Failure::BadPadding);
    }
    plain.truncate(size);
    Ok(plain)
}

fn seal_gcm<A>(cipher: &A, key: &str, plain: &[u8], nonce: &[u8], value: &mut Vec<u8>) -> Result<(), Failure>
where
    A: AeadInPlace<NonceSize = U12>,
{
    let mut sealed = plain.to_vec();
    let tag = cipher
        .encrypt_in_place_detached(GenericArray::from_slice(nonce), key.as_bytes(), &mut sealed)
        .map_err(|_| Failure::NotAuthenticGcm)?;
    value.append(&mut sealed);
    value.extend_from_slice(&tag);
    Ok(())
}

fn open_gcm<A>(cipher: &A, key: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure>
where
    A: AeadInPlace<NonceSize = U12, TagSize = cbc::cipher::consts::U16>,
{
    let (nonce, sealed) = sealed.split_at_checked(GCM_NONCE).ok_or(Failure::Short)?;
    let size = sealed.len().checked_sub(TAG).ok_or(Failure::NotAuthenticGcm)?;
    let (sealed, tag) = sealed.split_at_checked(size).ok_or(Failure::NotAuthenticGcm)?;
    let mut plain = sealed.to_vec();
    cipher
        .decrypt_in_place_detached(
            GenericArray::from_slice(nonce),
            key.as_bytes(),
            &mut plain,
            GenericArray::from_slice(tag),
        )
        .map_err(|_| Failure::NotAuthenticGcm)?;
    Ok(plain)
}
