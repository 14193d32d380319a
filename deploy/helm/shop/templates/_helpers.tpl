{{- define "shop.name" -}}
{{- .Values.name | default .Release.Name -}}
{{- end -}}

{{- /* What the schema of the values cannot say. */ -}}
{{- define "shop.check" -}}
{{- $name := include "shop.name" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$" $name) -}}
{{- fail (printf "%s cannot be the name of a Shop (1 to 40 lower-case letters, digits or '-', beginning with a letter): set name" $name) -}}
{{- end -}}
{{- $secret := dig "mongodb" "uriSecretRef" "name" "" .Values.spec -}}
{{- if and .Values.mongodbURI (dig "mongodb" "uriSecretRef" "" .Values.spec) -}}
{{- fail "set mongodbURI or spec.mongodb.uriSecretRef, not both" -}}
{{- else if not (or .Values.mongodbURI $secret) -}}
{{- fail "set mongodbURI, or spec.mongodb.uriSecretRef.name to a Secret that holds the connection string under the key uri" -}}
{{- end -}}
{{- end -}}
