// Swagger UI from the package's own files; it validates nothing elsewhere and asks no other host.
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: false, validatorUrl: null, tryItOutEnabled: true, displayRequestDuration: true,
});
