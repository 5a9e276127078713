"use strict";
window.onload = function () {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#api",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    // An answer has thousands of numbers, which colouring would make the page stand still for.
    syntaxHighlight: false,
    validatorUrl: null
  });
};
