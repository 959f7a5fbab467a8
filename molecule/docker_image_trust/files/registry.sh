#!/bin/sh
# Makes this host a registry with TLS and a password, a Notary server, and the place where images are signed. What others may
# know of it lies in /srv/trust/public.
set -eu
registry=$(hostname):5000
export DEBIAN_FRONTEND=noninteractive COSIGN_PASSWORD=x
export DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=root-passphrase DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=other-passphrase
apt-get update -qq
apt-get install -qq -y --no-install-recommends apache2-utils cosign docker-registry notary >/dev/null
mkdir -p /srv/trust/public
cd /srv/trust

# One CA for registry and Notary server.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls-ca.key -out public/tls-ca.pem -subj /CN=tls -days 30
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.csr -subj "/CN=$(hostname)"
printf 'subjectAltName=DNS:%s\n' "$(hostname)" >tls.ext
openssl x509 -req -in tls.csr -CA public/tls-ca.pem -CAkey tls-ca.key -days 30 -extfile tls.ext -out tls.pem
htpasswd -bBc /etc/docker/registry/htpasswd ada correct-horse
cp tls.pem tls.key /etc/docker/registry/
chown docker-registry /etc/docker/registry/htpasswd /etc/docker/registry/tls.key
sed -i 's|addr: :5000|&\n  tls: {certificate: /etc/docker/registry/tls.pem, key: /etc/docker/registry/tls.key}|' /etc/docker/registry/config.yml
systemctl restart docker-registry
cat >notary.json <<'END'
{"server": {"http_addr": ":4443", "tls_cert_file": "/srv/trust/tls.pem", "tls_key_file": "/srv/trust/tls.key"},
 "trust_service": {"type": "local"}, "logging": {"level": "info"}, "storage": {"backend": "memory"}}
END
systemd-run --quiet --unit=notary-server notary-server -config=/srv/trust/notary.json
systemd-run --quiet --unit=files python3 -m http.server --directory /usr/bin 8000
mkdir -p "/etc/docker/certs.d/$registry" "/root/.docker/tls/$(hostname):4443"
cp public/tls-ca.pem "/etc/docker/certs.d/$registry/ca.crt"
cp public/tls-ca.pem "/root/.docker/tls/$(hostname):4443/ca.crt"
for _attempt in $(seq 30); do
    docker login -u ada -p correct-horse "$registry" && break
    sleep 1
done

docker load -qi /usr/share/breakwater/busybox.tar
cat >/usr/local/bin/publish <<'END'
#!/bin/sh
# publish NAME CONTENT: pushes an image of this content and prints its name by digest.
set -eu
container=$(docker create busybox:local)
docker commit --change "LABEL content=$2" "$container" "$(hostname):5000/$1" >/dev/null
docker rm "$container" >/dev/null
docker push -q "$(hostname):5000/$1" >/dev/null
docker inspect -f '{{index .RepoDigests 0}}' "$(hostname):5000/$1"
END
cat >/usr/local/bin/sign <<'END'
#!/bin/sh
# sign KEY IMAGE [OPTION]...: signs it with this key of /srv/trust, in the form of cosign 2.
set -eu
key=$1 image=$2
shift 2
if cosign sign --help 2>&1 | grep -q use-signing-config; then
    set -- --use-signing-config=false --new-bundle-format=false "$@"
fi
SSL_CERT_FILE=/srv/trust/public/tls-ca.pem COSIGN_PASSWORD=x cosign sign -y --tlog-upload=false --key "/srv/trust/$key.key" "$@" "$image"
END
cat >/usr/local/bin/sign_bundle <<'END'
#!/bin/sh
# sign_bundle KEY IMAGE: signs it in the form of cosign 3, for which cosign 2 has to state the same.
set -eu
key=$1 image=$2
if cosign sign --help 2>&1 | grep -q use-signing-config; then
    set -- sign --use-signing-config=false
else
    echo '{}' >/srv/trust/predicate
    set -- attest --new-bundle-format --type https://sigstore.dev/cosign/sign/v1 --predicate /srv/trust/predicate
fi
SSL_CERT_FILE=/srv/trust/public/tls-ca.pem COSIGN_PASSWORD=x cosign "$@" -y --tlog-upload=false --key "/srv/trust/$key.key" "$image"
END
chmod 755 /usr/local/bin/publish /usr/local/bin/sign /usr/local/bin/sign_bundle
for key in release other; do cosign generate-key-pair --output-key-prefix "$key"; done
cp release.pub public/
sign release "$(publish app/signed:1 signed)"
publish app/unsigned:1 unsigned
sign other "$(publish app/others:1 others)"
sign_bundle release "$(publish app/bundle:1 bundle)"
sign_bundle other "$(publish app/others-bundle:1 others-bundle)"
sign release "$(publish app/moving:1 before)"
sign release "$(publish production/web:1 production)" -a env=production
sign release "$(publish production/test:1 test)" -a env=test
publish accepted/tools:1 tools
sign release "$(publish rejected/web:1 rejected)"

# Signatures by short-lived keys: a CA that names identities, and a transparency log.
openssl ecparam -name prime256v1 -genkey -noout -out rekor.key
openssl pkey -in rekor.key -pubout -out public/rekor.pub
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out public/ca.pem -subj /CN=identities \
    -addext keyUsage=critical,keyCertSign -not_before 20200101000000Z -not_after 20400101000000Z
cp public/ca.pem .
for name in web eves; do
    SSL_CERT_FILE=/srv/trust/public/tls-ca.pem python3 /root/sign_shortly.py "$(publish "ci/$name:1" "ci-$name")"
done

# Signatures by notation, where Debian has it, of a company and of somebody else.
for name in acme eve; do
    openssl req -x509 -newkey rsa:3072 -nodes -keyout "$name-ca.key" -out "public/$name-ca.pem" -days 30 -subj "/C=DE/ST=BE/O=$name/CN=CA" \
        -addext keyUsage=critical,keyCertSign
    openssl req -newkey rsa:3072 -nodes -keyout "$name.key" -out "$name.csr" -subj "/C=DE/ST=BE/O=$name/CN=builder"
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n' >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA "public/$name-ca.pem" -CAkey "$name-ca.key" -days 30 -extfile "$name.ext" -out "$name.pem"
    cat "public/$name-ca.pem" >>"$name.pem"
done
signed=$(publish notation/signed:1 by-notation)
eves=$(publish notation/eves:1 by-eve)
publish notation/unsigned:1 by-nobody
if apt-get install -qq -y --no-install-recommends notation >/dev/null 2>&1; then
    mkdir -p /root/.config/notation
    cat >/root/.config/notation/signingkeys.json <<'END'
{"keys": [{"name": "acme", "keyPath": "/srv/trust/acme.key", "certPath": "/srv/trust/acme.pem"},
          {"name": "eve", "keyPath": "/srv/trust/eve.key", "certPath": "/srv/trust/eve.pem"}]}
END
    SSL_CERT_FILE=/srv/trust/public/tls-ca.pem notation sign --key acme --user-metadata env=production "$signed"
    SSL_CERT_FILE=/srv/trust/public/tls-ca.pem notation sign --key eve "$eves"
fi

DOCKER_CONTENT_TRUST_SERVER="https://$(hostname):4443"
export DOCKER_CONTENT_TRUST_SERVER
publish notary/unsigned:1 not-in-notary
publish notary/signed:1 in-notary
DOCKER_CONTENT_TRUST=1 docker push "$registry/notary/signed:1"
docker trust inspect "$registry/notary/signed" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["AdministrativeKeys"][0]["Keys"][0]["ID"])' >public/root_key_id
