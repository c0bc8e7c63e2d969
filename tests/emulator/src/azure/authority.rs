//! The emulator's own certificate authority.
//!
//! Made anew at every start. The leaf of a host is made when the host is first asked for, and kept.

use std::{collections::HashMap, io, path::Path, sync::Arc};

use parking_lot::RwLock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

use super::clock::real_now;

/// A client may refuse a leaf that lives longer than this.
const VALID_DAYS: i64 = 820;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: CertificateDer<'static>,
    ca_pem: String,
    /// All leaves share one key: nothing here is secret, and making keys takes time.
    leaf_key: KeyPair,
    acceptors: RwLock<HashMap<String, TlsAcceptor>>,
}

impl Authority {
    /// Makes the authority and writes its certificate to `pem_path`.
    pub(crate) fn create(pem_path: &Path) -> io::Result<Self> {
        let params = ca_params();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let ca_pem = certificate.pem();
        std::fs::write(pem_path, &ca_pem)?;
        Ok(Self {
            ca_pem,
            ca: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            leaf_key: KeyPair::generate().map_err(io::Error::other)?,
            acceptors: RwLock::default(),
        })
    }

    /// The TLS side of a host.
    pub(crate) fn acceptor(&self, host: &str) -> io::Result<TlsAcceptor> {
        if let Some(acceptor) = self.acceptors.read().get(host) {
            return Ok(acceptor.clone());
        }
        let acceptor = TlsAcceptor::from(Arc::new(self.server_config(host)?));
        Ok(self.acceptors.write().entry(host.to_owned()).or_insert(acceptor).clone())
    }

    /// A certificate for hosts that somebody else serves, with its chain, and its key; both as PEM.
    pub(crate) fn certificate(&self, hosts: &[String]) -> io::Result<(String, String)> {
        let leaf = leaf_params(hosts)?.signed_by(&self.leaf_key, &self.issuer).map_err(io::Error::other)?;
        Ok((leaf.pem() + &self.ca_pem, self.leaf_key.serialize_pem()))
    }

    fn server_config(&self, host: &str) -> io::Result<ServerConfig> {
        let leaf = leaf_params(&[host.to_owned()])?
            .signed_by(&self.leaf_key, &self.issuer)
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), self.ca.clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn ca_params() -> CertificateParams {
    let mut params = validity(CertificateParams::default());
    params.distinguished_name.push(DnType::CommonName, "keyvault-backup emulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn leaf_params(hosts: &[String]) -> io::Result<CertificateParams> {
    let mut params = validity(CertificateParams::new(hosts).map_err(io::Error::other)?);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "emulated service");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true; // OpenSSL's strict mode asks for it
    Ok(params)
}

fn validity(mut params: CertificateParams) -> CertificateParams {
    params.not_before = real_now() - time::Duration::days(1);
    params.not_after = real_now() + time::Duration::days(VALID_DAYS - 1);
    params
}
