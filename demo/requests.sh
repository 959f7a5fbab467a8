#!/bin/sh
# Asks the shop again and again, as a proxy that knows its ports would, and notes each answer until /run/shop-closed is there.
until [ -e /run/shop-closed ]; do
    for port in 8080 8081 8082; do
        answer=$(curl -sfm 5 http://127.0.0.1:$port/) && break
    done
    echo "${answer:-no answer}" >>/run/shop-answers
    sleep 0.1
done
