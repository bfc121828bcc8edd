{{/* Labels of every object: (list $ "component"), or (list $ "") for what belongs to no part alone. */}}
{{- define "wakegate.labels" -}}
{{- $top := index . 0 -}}
{{- $component := index . 1 -}}
app.kubernetes.io/part-of: wakegate
app.kubernetes.io/managed-by: {{ $top.Release.Service }}
app.kubernetes.io/version: {{ $top.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $top.Chart.Name $top.Chart.Version }}
{{- with $component }}
{{ include "wakegate.selector" (list $top .) }}
{{- end }}
{{- end }}

{{/* What selects the pods of a part; never changes between releases. */}}
{{- define "wakegate.selector" -}}
app.kubernetes.io/name: wakegate-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{- define "wakegate.image" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default $top.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* An address of the pod that programs bind, or tell others. */}}
{{- define "wakegate.podAddress" -}}
{{ ternary "[$(POD_IP)]" "$(POD_IP)" (eq .Values.ipFamily "IPv6") }}
{{- end }}

{{/*
The objects of a file below deploy/, where `kubectl apply` finds them as well, for this release: its namespace in place of
`wakegate`, KEDA's in place of `keda`, cert-manager's in place of `cert-manager`, and its labels. With .namespace all are
put there, with .kind there are those alone.
(dict "top" $ "file" "deploy/base/x.yaml" "namespace" "" "annotations" (dict) "kind" "")
*/}}
{{- define "wakegate.deploy" -}}
{{- $top := .top -}}
{{- $ours := $top.Release.Namespace -}}
{{- $text := $top.Files.Get .file -}}
{{- if not $text }}{{ fail (printf "%s is missing from the chart" .file) }}{{ end -}}
{{- $text = regexReplaceAll "\\b(wakegate-(?:scaler|control-plane))\\.wakegate\\b" $text (printf "${1}.%s" $ours) -}}
{{- $places := dict "wakegate" $ours "keda" $top.Values.keda.namespace "cert-manager" $top.Values.tls.certManager.namespace -}}
{{- $given := .namespace -}}
{{- $kind := .kind -}}
{{- $annotations := .annotations -}}
{{- range $document := splitList "\n---\n" $text }}
{{- $object := fromYaml $document -}}
{{- if $object.Error }}{{ fail (printf "%s: %s" $.file $object.Error) }}{{ end -}}
{{- $metadata := $object.metadata -}}
{{- if $given }}{{ $_ := set $metadata "namespace" $given }}
{{- else if hasKey $metadata "namespace" }}{{ $_ := set $metadata "namespace" (get $places $metadata.namespace | default $metadata.namespace) }}{{ end -}}
{{- $_ := set $metadata "labels" (merge (dict) ($metadata.labels | default dict) (include "wakegate.labels" (list $top "") | fromYaml)) -}}
{{- with $annotations }}{{ $_ := set $metadata "annotations" (merge (dict) . ($metadata.annotations | default dict)) }}{{ end -}}
{{- range $subject := $object.subjects }}{{ $_ := set $subject "namespace" $ours }}{{ end }}
{{- if or (not $kind) (eq $kind $object.kind) }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* What both pods have around their container: (list $ $values "component"). */}}
{{- define "wakegate.pod" -}}
{{- $top := index . 0 -}}
{{- $part := index . 1 -}}
{{- $component := index . 2 -}}
{{- with $top.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if $part.topologySpread }}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "wakegate.selector" (list $top $component) | nindent 8 }}
  {{- end }}
{{- end }}
# The delay, the drain, and some seconds for the rest.
terminationGracePeriodSeconds: {{ add $top.Values.drain.delaySeconds $top.Values.drain.limitSeconds 15 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "wakegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* /live and /ready of the admin port. A daemon that has not come up after a minute never will. */}}
{{- define "wakegate.probes" -}}
startupProbe:
  httpGet: {path: /live, port: admin}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /live, port: admin}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /ready, port: admin}
  periodSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* The environment of both daemons: (list $ $values grpcPort adminPort). */}}
{{- define "wakegate.environment" -}}
{{- $top := index . 0 -}}
{{- $address := include "wakegate.podAddress" $top -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: WAKEGATE_LISTEN
  value: "{{ $address }}:{{ index . 2 }}"
- name: WAKEGATE_ADMIN_LISTEN
  value: "{{ $address }}:{{ index . 3 }}"
- name: WAKEGATE_DRAIN_DELAY_SECS
  value: {{ $top.Values.drain.delaySeconds | quote }}
- name: WAKEGATE_DRAIN_LIMIT_SECS
  value: {{ $top.Values.drain.limitSeconds | quote }}
- name: WAKEGATE_LOG_FORMAT
  value: {{ $top.Values.log.format }}
- name: WAKEGATE_LOG_FILTER
  value: {{ $top.Values.log.filter | quote }}
{{- if eq $top.Values.tls.mode "plainText" }}
- name: WAKEGATE_PLAIN_TEXT
  value: "true"
{{- else }}
{{- with $top.Values.tls.allow }}
- name: WAKEGATE_TLS_ALLOW
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- with (index . 1).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Other namespaces with Envoys: what filters need of the release's own is there in any case. */}}
{{- define "wakegate.filterNamespaces" -}}
{{ without (uniq .Values.filters.namespaces) .Release.Namespace | toYaml }}
{{- end }}

{{/* By namespace, the Secrets that the own authority writes beside those that each release has. */}}
{{- define "wakegate.otherSecrets" -}}
{{- $secrets := dict -}}
{{- if eq .Values.tls.mode "ownAuthority" -}}
{{- $_ := set $secrets .Values.keda.namespace (list "wakegate-keda-tls") -}}
{{- range include "wakegate.filterNamespaces" . | fromYamlArray -}}
{{- $_ := set $secrets . (append (get $secrets . | default list) "wakegate-filter-tls") -}}
{{- end -}}
{{- end -}}
{{ toYaml $secrets }}
{{- end }}

{{/* Of an object of a hook: (list $ "component" namespace annotations). */}}
{{- define "wakegate.hookMetadata" -}}
name: wakegate-{{ index . 1 }}
namespace: {{ index . 2 }}
labels: {{ include "wakegate.labels" (list (index . 0) (index . 1)) | nindent 2 }}
annotations: {{ toYaml (index . 3) | nindent 2 }}
{{- end }}
