use std::time::{Duration, SystemTime};

use super::*;

const CART: &str = "spiffe://cluster.local/ns/shop/sa/cart";

fn issuer() -> DevIssuer {
    DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap()
}

fn authorities(source: &dyn IdentitySource) -> Arc<str> {
    Arc::clone(&source.trust()[0].authorities)
}

#[test]
fn issued_certificates_are_sound_and_stay_until_rotation() {
    let issuer = issuer();
    let first = issuer.identity(CART).unwrap();
    check(&first, CART, &authorities(&issuer)).unwrap();
    assert_eq!(issuer.identity(CART).unwrap(), first);
    issuer.rotate();
    let second = issuer.identity(CART).unwrap();
    assert_ne!(second, first);
    check(&second, CART, &authorities(&issuer)).unwrap();
}

#[test]
fn a_new_authority_overlaps_with_the_one_before() {
    let issuer = issuer();
    let first = issuer.identity(CART).unwrap();
    issuer.rotate_authority().unwrap();
    let second = issuer.identity(CART).unwrap();
    let both = authorities(&issuer);
    check(&first, CART, &both).unwrap();
    check(&second, CART, &both).unwrap();
    issuer.rotate_authority().unwrap();
    check(&second, CART, &authorities(&issuer)).unwrap();
    assert!(check(&first, CART, &authorities(&issuer)).is_err(), "no longer trusted");
}

#[test]
fn certificates_are_renewed_in_time() {
    let issuer = issuer();
    let first = issuer.identity(CART).unwrap();
    let now = SystemTime::now();
    assert!(!issuer.renew(now + Duration::from_secs(2300)));
    assert!(issuer.renew(now + Duration::from_secs(2500)));
    assert_ne!(issuer.identity(CART).unwrap(), first);
}

#[test]
fn an_issuer_certifies_its_own_domain_only_and_lives_on_from_its_authority() {
    let issuer = issuer();
    assert!(issuer.identity("spiffe://elsewhere/ns/shop/sa/cart").is_err());
    assert!(issuer.identity("cart").is_err());
    let Identity { chain, key } = issuer.authority();
    let again = DevIssuer::resume("cluster.local", Duration::from_secs(60), &chain, &key).unwrap();
    check(&again.identity(CART).unwrap(), CART, &authorities(&issuer)).unwrap();
    let other = DevIssuer::new("cluster.local", Duration::from_secs(60)).unwrap();
    let mixed = DevIssuer::resume("cluster.local", Duration::from_secs(60), &chain, &other.authority().key);
    assert!(mixed.is_err(), "key and certificate do not belong together");
}

#[test]
fn secrets_are_the_own_certificate_and_the_trust_of_each_domain() {
    let issuer = issuer();
    let all = secrets(&issuer, CART).unwrap();
    let names: Vec<&str> = all.iter().map(|r| &**r.name()).collect();
    assert_eq!(names, [CART, "spiffe://cluster.local"]);
    use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as theirs;
    let read: Vec<theirs::Secret> = all.iter().map(|r| theirs::Secret::decode(r.value()).unwrap()).collect();
    let Some(theirs::secret::Type::TlsCertificate(own)) = &read[0].r#type else { panic!("{read:?}") };
    let text = |source: &Option<envoy_types::pb::envoy::config::core::v3::DataSource>| match source
        .clone()
        .unwrap()
        .specifier
    {
        Some(Specifier::InlineString(text)) => text,
        other => panic!("{other:?}"),
    };
    let identity = issuer.identity(CART).unwrap();
    assert_eq!(text(&own.certificate_chain), *identity.chain);
    assert_eq!(text(&own.private_key), *identity.key);
    let Some(theirs::secret::Type::ValidationContext(trust)) = &read[1].r#type else { panic!("{read:?}") };
    assert_eq!(text(&trust.trusted_ca), *authorities(&issuer));
    assert!(!format!("{identity:?}{issuer:?}{all:?}").contains("PRIVATE"));
}

#[test]
fn files_are_taken_over_in_sound_pairs_only() {
    let folder = std::env::temp_dir().join(format!("smi-xds-identity-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let account = folder.join("shop/cart");
    std::fs::create_dir_all(&account).unwrap();
    let issuer = issuer();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("ca.crt", &authorities(&issuer));
    let (source, faults) = FileSource::open(&folder, "cluster.local");
    assert_eq!(faults.len(), 1, "no pair yet: {faults:?}");
    assert!(source.identity(CART).is_err());
    let changes = source.changes();

    let first = issuer.identity(CART).unwrap();
    write("shop/cart/tls.crt", &first.chain);
    assert_eq!(source.reload().len(), 1, "half a pair");
    write("shop/cart/tls.key", &first.key);
    assert_eq!(source.reload(), []);
    assert_eq!(source.identity(CART).unwrap(), first);
    let seen = *changes.borrow();
    assert_eq!(source.reload(), []);
    assert_eq!(*changes.borrow(), seen, "nothing changed");

    // Half of the next pair, nonsense, a stranger's, another account's: the pair before stays, with a reason.
    issuer.rotate();
    let second = issuer.identity(CART).unwrap();
    let stranger =
        super::DevIssuer::new("cluster.local", Duration::from_secs(60)).unwrap().identity(CART).unwrap();
    let other = issuer.identity("spiffe://cluster.local/ns/shop/sa/other").unwrap();
    for (chain, key) in [
        (&*second.chain, &*first.key),
        ("", ""),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &*first.key),
        (&*stranger.chain, &*stranger.key),
        (&*other.chain, &*other.key),
    ] {
        write("shop/cart/tls.crt", chain);
        write("shop/cart/tls.key", key);
        assert_eq!(source.reload().len(), 1);
        assert_eq!(source.identity(CART).unwrap(), first);
    }
    write("shop/cart/tls.crt", &second.chain);
    write("shop/cart/tls.key", &second.key);
    assert_eq!(source.reload(), []);
    assert_eq!(source.identity(CART).unwrap(), second);
    assert_ne!(*changes.borrow(), seen);

    write("ca.crt", "nonsense");
    assert_eq!(source.reload().len(), 1);
    assert_eq!(source.trust()[0].authorities, authorities(&issuer), "the trust before stays");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_certificate_with_several_uris_is_nobodys() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate().unwrap();
    let trusted = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let of = |uris: &[&str]| {
        let mut params = CertificateParams::new(vec!["cart.shop".into()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &issuer).unwrap().pem();
        let identity = Identity { chain: chain.into(), key: key.serialize_pem().into() };
        check(&identity, CART, &trusted).map_err(|error| error.to_string())
    };
    let other = "spiffe://cluster.local/ns/shop/sa/other";
    assert_eq!(of(&[CART]), Ok(()));
    let several = "the certificate has several URIs, so it speaks for nobody; it needs exactly one";
    for uris in [[CART, other], [other, CART], [CART, CART]] {
        assert_eq!(of(&uris), Err(format!("{CART}: {several}")));
    }
    assert_eq!(of(&[other]), Err(format!("{CART}: the certificate is of [\"{other}\"]")));
    assert_eq!(of(&[]), Err(format!("{CART}: the certificate is of []")));
}

#[cfg(unix)]
#[test]
fn what_is_below_a_folder_that_cannot_be_read_stays() {
    let root = std::env::temp_dir().join(format!("smi-xds-folders-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    let (folder, away) = (root.join("certificates"), root.join("away"));
    let issuer = issuer();
    let write = |account: &str| {
        let id = format!("spiffe://cluster.local/ns/{}", account.replace('/', "/sa/"));
        let Identity { chain, key } = issuer.identity(&id).unwrap();
        std::fs::create_dir_all(folder.join(account)).unwrap();
        std::fs::write(folder.join(account).join("tls.crt"), &*chain).unwrap();
        std::fs::write(folder.join(account).join("tls.key"), &*key).unwrap();
    };
    for account in ["shop/cart", "shop/cart2", "shops/cart", "web/one", "web/two"] {
        write(account);
    }
    std::fs::write(folder.join("ca.crt"), &*authorities(&issuer)).unwrap();
    let (source, faults) = FileSource::open(&folder, "cluster.local");
    assert_eq!(faults, []);
    let has = || -> Vec<&str> {
        let known = ["shop/cart", "shop/cart2", "shops/cart", "web/one", "web/two"].into_iter();
        let id = |account: &str| format!("spiffe://cluster.local/ns/{}", account.replace('/', "/sa/"));
        known.filter(|account| source.identity(&id(account)).is_ok()).collect()
    };
    let all = has();
    assert_eq!(all.len(), 5);
    let seen = *source.changes().borrow();

    // The folder itself, as while a mount is swapped.
    std::fs::rename(&folder, &away).unwrap();
    let faults: Vec<String> = source.reload().iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|f| f.contains("certificates: No such file")), "{faults:?}");
    assert_eq!(has(), all);
    std::fs::rename(&away, &folder).unwrap();

    // A namespace, an account; others are gone, those of a longer name too.
    std::fs::rename(folder.join("shop"), &away).unwrap();
    std::os::unix::fs::symlink("shop", folder.join("shop")).unwrap();
    std::fs::remove_dir_all(folder.join("web/one")).unwrap();
    std::os::unix::fs::symlink("one", folder.join("web/one")).unwrap();
    assert_eq!(source.reload().len(), 2);
    assert_eq!(has(), all);
    assert_eq!(*source.changes().borrow(), seen, "nothing changed");
    std::fs::remove_dir_all(folder.join("shops")).unwrap();
    std::fs::remove_dir_all(folder.join("web/two")).unwrap();
    assert_eq!(source.reload().len(), 2);
    assert_eq!(has(), ["shop/cart", "shop/cart2", "web/one"]);

    // What can be read again and is not there is gone.
    std::fs::remove_file(folder.join("shop")).unwrap();
    std::fs::remove_file(folder.join("web/one")).unwrap();
    assert_eq!(source.reload(), []);
    assert!(has().is_empty());
    std::fs::remove_dir_all(&root).unwrap();
}
