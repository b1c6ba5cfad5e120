#!/bin/sh
# Records ../oracle.jsonl anew: what Debian's Jayway json-path 2.0.0 gives for
# cases.txt. Needs a JDK and the packages libjsonpath-java, libjson-smart-java,
# libjackson2-core-java, libjackson2-databind-java, libjackson2-annotations-java.
set -eu
cd "$(dirname "$0")"
jars=/usr/share/java
cp=$(printf "$jars/%s.jar:" json-path json-smart accessors-smart asm jackson-core jackson-databind jackson-annotations slf4j-api slf4j-nop)
java -cp "$cp" Oracle.java cases.txt >../oracle.jsonl
wc -l ../oracle.jsonl
